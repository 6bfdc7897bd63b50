import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { Hop } from '../core/forwarding.ts'
import { firstOf, type Fields } from '../core/headers.ts'
import type { Clock, LimitName } from '../core/ports.ts'
import type { Trace, Tracer } from '../core/tracing.ts'
import type { BodyReading } from '../request/call.ts'
import type { ContentWatch, PassingCall } from '../request/pass-on.ts'
import { contentOf } from './content.ts'
import { HeldBody, type HeldBodies } from './held-bodies.ts'

const EMPTY = new Uint8Array()

/** What was read of a message before its body; see read-message.ts. */
export interface Heading {
  readonly target: string
  readonly fields: Fields
  readonly hop: Hop
  /** the client waits for a 100 before it sends its body */
  readonly expectsContinue: boolean
}

/** What holds for the bodies of guarded requests. */
export interface BodyRules {
  readonly room: HeldBodies
  /** longest time from the head to the last byte */
  readonly timeMs: number
  readonly clock: Clock
  readonly reached: (limit: LimitName) => void
}

/** The trace that a request was found to belong to; `unasked`: where nothing is recorded, it is read when somebody asks. */
export type Traced = Trace | null | 'unasked'

/** A call over HTTP/1.1, read from node's raw view of the message. */
export class HttpCall implements PassingCall {
  readonly method: string
  readonly target: string
  readonly fields: Fields
  readonly hop: Hop
  readonly #expectsContinue: boolean
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #rules: BodyRules
  readonly #tracer: Tracer
  #trace: Traced
  #held: HeldBody | null = null
  #watch: ContentWatch | null = null

  constructor(request: IncomingMessage, response: ServerResponse, heading: Heading, rules: BodyRules, tracer: Tracer, trace: Traced) {
    this.#request = request
    this.#response = response
    this.#rules = rules
    this.#tracer = tracer
    this.#trace = trace
    this.#expectsContinue = heading.expectsContinue
    this.method = request.method ?? ''
    this.target = heading.target
    this.fields = heading.fields
    this.hop = heading.hop
  }

  get trace(): Trace | null {
    if (this.#trace === 'unasked') this.#trace = this.#tracer.receive(this.fields, this.method, this.target)
    return this.#trace
  }

  gone(): boolean {
    return this.#response.destroyed || this.#request.socket.destroyed
  }

  /** A client that closes its side has left, too: nobody who still waits for an answer does that. */
  whenGone(task: () => void): () => void {
    const response = this.#response
    const { socket } = this.#request
    response.on('close', task)
    socket.on('end', task)
    return () => {
      response.off('close', task)
      socket.off('end', task)
    }
  }

  watchContent(watch: ContentWatch): void {
    this.#watch = watch
  }

  content(): Readable | null {
    const declared = firstOf(this.fields, 'content-length')
    if (declared === undefined ? firstOf(this.fields, 'transfer-encoding') === undefined : Number(declared) === 0) {
      this.#watch?.complete()
      return null
    }
    if (this.#expectsContinue) this.#response.writeContinue()
    return contentOf(this.#request, this.#watch)
  }

  /** RFC 9110 section 15.2: never to HTTP/1.0. Behind a pipelined request whose answer is still out, it has lost its moment. */
  inform(status: number, fields: Fields): void {
    const { socket, headersSent } = this.#response
    if (this.hop.httpVersion === '1.0' || socket === null || headersSent || this.gone()) return
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
    for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n` // as a parser let them through
    socket.write(`${head}\r\n`, 'latin1')
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
    // Only now: a request that is refused without its body needs no 100 (RFC 9110 section 10.1.1).
    if (this.#expectsContinue) this.#response.writeContinue()
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
