import { Agent, request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'
import { between, chance, oneOf } from '../chance.ts'
import type { Fate } from './ledger.ts'

/** One thing that a client wants done once. */
export interface Operation {
  readonly name: string
  readonly fate: Fate
}

export interface Verdict {
  readonly operation: Operation
  /** what went wrong for this client; null if it was served as promised */
  readonly harm: string | null
  readonly longestMs: number
}

interface Heard {
  readonly status: number
  readonly body: string
  readonly replayed: boolean
}

const PAUSE_MS = 40
/** Longer than any operation takes on a busy machine; past it a client counts as not served. */
const PATIENCE_MS = 20_000

/** The key travels in the client's own name, so that hostile clients can know it and must not profit. */
export const keyOf = (name: string): string => `key-of-${name}`

/** Clients that do everything right: one key per operation, the same bytes with every retry, patience on 409. */
export class GoodClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #address: string
  readonly #random: () => number

  constructor(address: string, seed: number) {
    this.#address = address
    this.#random = chance(seed, 'good')
  }

  close(): void {
    this.#agent.destroy()
  }

  draw(name: string): Operation {
    return { name, fate: oneOf(this.#random, ['answered', 'answered', 'answered', 'slow', 'slow', 'lost']) }
  }

  /** Asks, perhaps hangs up and asks again, perhaps twice at once, and then for the same answer some more times. */
  async serve(operation: Operation): Promise<Verdict> {
    const startedAt = performance.now()
    const done = (harm: string | null): Verdict => ({ operation, harm, longestMs: performance.now() - startedAt })
    if (this.#random() < 0.3) await this.#hangUp(operation)
    const senders = this.#random() < 0.3 ? 2 : 1
    const first = await Promise.all(Array.from({ length: senders }, () => this.#pursue(operation)))
    const again = await Promise.all(Array.from({ length: between(this.#random, 1, 3) }, () => this.#pursue(operation)))
    const all = [...first, ...again]
    if (all.includes(null)) return done('was not answered')
    const texts = new Set(all.map((heard) => `${heard?.status} ${heard?.body}`))
    if (operation.fate === 'lost') {
      const right = all.every((heard) => heard?.status === 504 && heard.body.includes('outcome-unknown'))
      return done(right ? null : `should have heard of a doubt, and heard ${[...texts].join(' | ')}`)
    }
    if (texts.size > 1) return done(`heard different answers: ${[...texts].join(' | ')}`)
    if (first[0]?.status !== 201) return done(`heard ${[...texts].join()}`)
    return done(again.every((heard) => heard?.replayed === true) ? null : 'was given an answer for the first time twice')
  }

  async #pursue(operation: Operation): Promise<Heard | null> {
    const giveUpAt = performance.now() + PATIENCE_MS
    while (performance.now() < giveUpAt) {
      const heard = await this.#ask(operation).catch(() => null)
      if (heard !== null && heard.status !== 409 && heard.status !== 503) return heard
      await after(PAUSE_MS)
    }
    return null
  }

  async #ask(operation: Operation): Promise<Heard> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      this.#send(operation, resolve).on('error', reject).end(bodyOf(operation))
    })
    return { status: response.statusCode ?? 0, body: await text(response), replayed: response.headers['idempotent-replayed'] === 'true' }
  }

  /** Sends everything and does not wait: whatever it led to, the next asking is told. */
  async #hangUp(operation: Operation): Promise<void> {
    const pauseMs = between(this.#random, 0, 30)
    const sent = this.#send(operation, (response) => response.destroy())
    sent.on('error', () => undefined).end(bodyOf(operation))
    await after(pauseMs)
    sent.destroy()
  }

  #send({ name, fate }: Operation, heard: (response: IncomingMessage) => void) {
    const headers = { 'authorization': 'Bearer good', 'idempotency-key': keyOf(name), 'content-type': 'application/json' }
    return request(`${this.#address}/operations/${name}?${fate}`, { method: 'POST', agent: this.#agent, headers, timeout: PATIENCE_MS }, heard)
  }
}

function bodyOf({ name }: Operation): string {
  return JSON.stringify({ name, amount: 100 })
}
