import { Agent, request, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'
import { hashOf } from './chance.ts'
import { CREDENTIAL, PATHS, type RouteName } from './protocol.ts'

/** What a client wants done once, under one key, by senders that do not know of each other. */
export interface Operation {
  readonly key: string
  readonly route: RouteName
  readonly senders: number
  /** false: its client asks once and is never heard of again, so that only an operator can see what became of it */
  readonly comesBack: boolean
}

/** What came back from one asking. */
export type Heard =
  /** the operation's answer: the reply says with Idempotency-TTL how long it will be given again */
  | { readonly kind: 'answer', readonly status: number, readonly bodyHash: string, readonly replayed: boolean }
  /** the upstream's own reply, not kept: a refusal, or a status behind which nobody knows what happened */
  | { readonly kind: 'passed-on', readonly status: number }
  | { readonly kind: 'problem', readonly code: string }
  /** no connection, or it broke: whatever happened, nobody was told */
  | { readonly kind: 'nothing' }

export interface Asking {
  readonly key: string
  /** places in one order of all events of the trial */
  readonly invoked: number
  readonly ended: number
  readonly heard: Heard
  readonly tookMs: number
}

/** An operator's word about a doubt, in the same order. */
export interface Resolved {
  readonly key: string
  readonly as: 'completed' | 'not-executed'
  readonly bodyHash: string
}

/** Everything that the outside was told, in the order in which it was told. */
export class History {
  readonly askings: Asking[] = []
  readonly resolutions: Resolved[] = []
  readonly #listeners: ((asking: Asking) => void)[] = []
  #events = 0

  listen(listener: (asking: Asking) => void): void {
    this.#listeners.push(listener)
  }

  begin(): number {
    this.#events += 1
    return this.#events
  }

  end(key: string, invoked: number, heard: Heard, tookMs: number): void {
    this.#events += 1
    const asking = { key, invoked, ended: this.#events, heard, tookMs }
    this.askings.push(asking)
    for (const listener of this.#listeners) listener(asking)
  }
}

const PROBLEM = 'urn:onceward:problem:'

/** Between two askings of one sender. Short: a lease's end is found by asking. */
const PAUSE_MS = 120

/** Longer than any deadline here: a connection that says nothing for so long counts as broken. */
const SILENCE_MS = 35_000

export class Client {
  readonly history: History
  readonly #agent = new Agent({ keepAlive: true })

  constructor(history: History) {
    this.history = history
  }

  async ask(address: string, { key, route }: Operation): Promise<Heard> {
    const invoked = this.history.begin()
    const from = performance.now()
    const heard = await this.#send(`${address}${PATHS[route]}`, key).catch((): Heard => ({ kind: 'nothing' }))
    this.history.end(key, invoked, heard, performance.now() - from)
    return heard
  }

  /** Asks with the same key until the operation has ended, as a careful client does; false if that was not to be. */
  async pursue(operation: Operation, session: Session): Promise<boolean> {
    for (let asked = 0; asked < session.askings && !session.over(); asked += 1) {
      if (asked > 0) await after(PAUSE_MS)
      const heard = await this.ask(session.address(), operation)
      if (hasEnded(heard, operation.route, session.last)) return true
    }
    return false
  }

  close(): void {
    this.#agent.destroy()
  }

  async #send(url: string, key: string): Promise<Heard> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { 'idempotency-key': key, authorization: CREDENTIAL, 'content-type': 'application/json' }
      const sent = request(url, { method: 'POST', agent: this.#agent, headers, timeout: SILENCE_MS }, resolve)
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('silence'))).end(JSON.stringify({ operation: key, amount: 100 }))
    })
    const body = await buffer(response)
    const { headers, statusCode: status = 0 } = response
    if (headers['content-type'] === 'application/problem+json') {
      const type = (JSON.parse(body.toString()) as { type?: unknown }).type
      return { kind: 'problem', code: typeof type === 'string' && type.startsWith(PROBLEM) ? type.slice(PROBLEM.length) : 'not-ours' }
    }
    if (headers['idempotency-ttl'] === undefined) return { kind: 'passed-on', status }
    return { kind: 'answer', status, bodyHash: hashOf(body), replayed: headers['idempotent-replayed'] === 'true' }
  }
}

/** How a round of asking goes: in one life of the sidecar, or in the last one, when everything is healed. */
export interface Session {
  readonly askings: number
  readonly last: boolean
  over(): boolean
  /** of any replica */
  address(): string
}

/** Below /resend the sidecar sends again by itself, so that there a doubt is no end once everything is healed. */
function hasEnded(heard: Heard, route: RouteName, last: boolean): boolean {
  if (heard.kind === 'answer') return true
  if (heard.kind !== 'problem') return false
  return heard.code === 'reply-not-kept' || (heard.code === 'outcome-unknown' && !(last && route === 'resend'))
}
