import type { IncomingMessage, ServerResponse } from 'node:http'
import { firstOf } from '../core/headers.ts'
import type { Clock, LimitName } from '../core/ports.ts'
import type { BodyReading, Call } from '../request/call.ts'
import { HeldBody, type HeldBodies } from './held-bodies.ts'

const EMPTY = new Uint8Array()

/** What holds for the bodies of guarded requests. */
export interface BodyRules {
  readonly room: HeldBodies
  /** longest time from the head to the last byte */
  readonly timeMs: number
  readonly clock: Clock
  readonly reached: (limit: LimitName) => void
}

/** A call over HTTP/1.1, read from node's raw view of the message. */
export class HttpCall implements Call {
  readonly method: string
  readonly target: string
  readonly fields: readonly string[]
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #rules: BodyRules
  #held: HeldBody | null = null

  constructor(request: IncomingMessage, response: ServerResponse, rules: BodyRules) {
    this.#request = request
    this.#response = response
    this.#rules = rules
    this.method = request.method ?? ''
    this.target = request.url ?? ''
    this.fields = request.rawHeaders
  }

  gone(): boolean {
    return this.#response.destroyed || this.#response.socket === null || this.#response.socket.destroyed
  }

  forgetBody(): void {
    this.#held?.forget()
  }

  body(maxBytes: number): Promise<BodyReading> {
    const declared = firstOf(this.fields, 'content-length') // node's own `headers` would be built for it
    if (declared === undefined && firstOf(this.fields, 'transfer-encoding') === undefined) return Promise.resolve({ kind: 'body', body: EMPTY })
    if (declared !== undefined && Number(declared) > maxBytes) {
      this.#rules.reached('request_body')
      return Promise.resolve({ kind: 'too-large' })
    }
    const held = new HeldBody(this.#rules.room, declared === undefined ? maxBytes : Number(declared))
    this.#held = held
    return new Promise((resolve) => this.#read(held, resolve))
  }

  #read(held: HeldBody, resolve: (reading: BodyReading) => void): void {
    const request = this.#request
    const { clock, timeMs, reached } = this.#rules
    let ended = false
    const end = (reading: BodyReading): void => {
      if (ended) return // 'close' comes after 'end', too, and listeners cost more to take off than to ignore
      ended = true
      cancel()
      if (reading.kind !== 'body') held.forget()
      const limit = limitOf(reading)
      if (limit !== null) reached(limit)
      resolve(reading)
    }
    const cancel = clock.after(timeMs, () => end({ kind: 'too-slow' }))
    request.on('data', (chunk: Buffer) => {
      if (ended) return // what still comes is read and thrown away, so that the client can read our answer
      const added = held.add(chunk)
      if (added !== 'added') end({ kind: added })
    })
    request.on('end', () => end({ kind: 'body', body: held.whole() }))
    // The response's and not the request's: node forgets a request that was answered in its middle, and never closes it.
    this.#response.on('close', () => end({ kind: 'broken-off' }))
  }
}

function limitOf(reading: BodyReading): LimitName | null {
  switch (reading.kind) {
    case 'too-large': return 'request_body'
    case 'no-room': return 'held_bodies'
    case 'too-slow': return 'body_time'
    case 'body': case 'broken-off': return null
    default: return reading satisfies never
  }
}
