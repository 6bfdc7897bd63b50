import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { AbortedBy, AttemptOutcome } from '../core/attempt.ts'
import { received } from '../core/headers.ts'
import type { Handshake, Switched } from '../core/ports.ts'
import type { Connection, Rider } from './connections.ts'
import type { Exchange } from './exchange.ts'

/**
 * A request that asks to switch protocols (RFC 9110 section 7.8). Until a 101 it is an exchange like any other, and
 * an upstream that does not switch ends it with its answer; with the 101 undici lets go of the socket.
 */
export class SwitchingExchange implements Dispatcher.DispatchHandler, Rider, Handshake {
  readonly outcome: Promise<AttemptOutcome | Switched>
  readonly #exchange: Exchange
  #switch!: (switched: Switched) => void
  #aborted = false

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    this.outcome = Promise.race([exchange.outcome, new Promise<Switched>((resolve) => { this.#switch = resolve })])
  }

  ride(connection: Connection): void {
    this.#exchange.ride(connection)
  }

  abort(by: AbortedBy): void {
    this.#aborted = true
    this.#exchange.abort(by)
  }

  onUpgrade(_status: number, rawHeaders: Buffer[] | string[] | null, socket: Duplex): void {
    socket.on('error', () => socket.destroy()) // before anything else: undici has taken its own listeners off
    if (this.#aborted) {
      socket.destroy()
      return
    }
    const fields = (rawHeaders ?? []).map((part) => typeof part === 'string' ? part : part.toString('latin1'))
    this.#switch({ kind: 'switched', fields: received(fields), socket })
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#exchange.onConnect(abort)
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void): boolean {
    return this.#exchange.onHeaders(status, rawHeaders, resume)
  }

  onData(chunk: Buffer): boolean {
    return this.#exchange.onData(chunk)
  }

  onComplete(rawTrailers: string[] | Buffer[] | null): void {
    this.#exchange.onComplete(rawTrailers)
  }

  onError(error: Error): void {
    this.#exchange.onError(error)
  }
}
