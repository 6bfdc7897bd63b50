import type { Dispatcher } from 'undici'
import type { Delivery } from '../core/delivery.ts'
import type { Fields } from '../core/headers.ts'
import type { Clock } from '../core/ports.ts'
import { InsideAddress } from './guarded-connector.ts'
import { judgeReply } from './judge-reply.ts'

/** What a receiver says to an event is read so far, for the sake of the connection, and dropped. */
const MOST_REPLY_BYTES = 64 * 1024

export interface PostingOptions {
  /** for everything: a connection, the request, the reply */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** see Sink.deliver */
  readonly maySend: () => boolean
  readonly clock: Clock
}

/*
 * One event on its way to a webhook, from undici's point of view a dispatch handler.
 *
 *     waiting --connection--> started --status--> judged --end of the body, or enough of it--> ended by the status
 *        |                       |                   '--time, signal, reset--> ended by the status
 *        |                       '--time, signal, reset--> retryable 'unknown'
 *        '--no connection: refused, not found, TLS, an address inside, time--> retryable 'sink'
 */
export class Posting implements Dispatcher.DispatchHandler {
  readonly end: Promise<Delivery>
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #maySend: () => boolean
  readonly #cancelTimer: () => void
  readonly #stopped = (): void => this.#giveUp('ended from our side before the receiver answered', 'unknown')
  #resolve!: (delivery: Delivery) => void
  #ended = false
  #started = false
  #judged: Delivery | null = null
  #replyBytes = 0
  #abort: ((reason?: Error) => void) | null = null

  constructor({ timeoutMs, signal, maySend, clock }: PostingOptions) {
    this.end = new Promise((resolve) => { this.#resolve = resolve })
    this.#clock = clock
    this.#signal = signal
    this.#maySend = maySend
    this.#cancelTimer = clock.after(timeoutMs, () => {
      if (this.#started) this.#giveUp(`no answer within ${timeoutMs} ms`, 'unknown')
      else this.#giveUp(`no connection within ${timeoutMs} ms`, 'sink')
    })
    signal.addEventListener('abort', this.#stopped)
  }

  onConnect(abort: (reason?: Error) => void): void {
    if (!this.#ended && !this.#maySend()) this.#giveUp('ended from our side before it was sent', 'unknown')
    if (this.#ended) {
      abort() // given up while it waited; nothing was written yet
      return
    }
    this.#abort = abort
    this.#started = true
  }

  onHeaders(status: number, rawHeaders: Buffer[]): boolean {
    if (status >= 100 && status < 200) return true
    if (status < 100) {
      this.#abort?.() // 000, which is no status: see onError
      return false
    }
    const fields: Fields = status < 300 ? [] : rawHeaders.map((bytes) => bytes.toString('latin1'))
    this.#judged = judgeReply(status, fields, this.#clock.wallMs())
    return true
  }

  onData(chunk: Buffer): boolean {
    this.#replyBytes += chunk.length
    if (this.#replyBytes > MOST_REPLY_BYTES && this.#judged !== null) this.#finish(this.#judged, true)
    return true
  }

  onComplete(): void {
    if (this.#judged !== null) this.#finish(this.#judged, false)
  }

  onError(error: Error): void {
    if (this.#judged !== null) this.#finish(this.#judged, false) // what followed the status does not matter
    else if (this.#started) this.#finish(retryable(`the connection ended before an answer (${codeOf(error)})`, 'unknown'), false)
    else this.#finish(retryable(noConnection(error), 'sink'), false)
  }

  #giveUp(cause: string, blame: 'sink' | 'unknown'): void {
    this.#finish(this.#judged ?? retryable(cause, blame), true)
  }

  #finish(delivery: Delivery, cut: boolean): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelTimer()
    this.#signal.removeEventListener('abort', this.#stopped)
    this.#resolve(delivery)
    if (cut) this.#abort?.()
  }
}

export function retryable(cause: string, blame: 'sink' | 'unknown'): Delivery {
  return { kind: 'retryable', cause, blame, notBeforeMs: null }
}

function noConnection(error: Error): string {
  if (error instanceof InsideAddress) return `the name of the receiver leads inside, to ${error.address}, and \`allow\` does not have that address`
  const code = codeOf(error)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name of the receiver was not found (${code})`
  if (/^(ERR_(SSL|TLS)_|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/.test(code)) return `TLS with the receiver failed (${code})`
  return `no connection to the receiver (${code})`
}

/** A code is a word from a list of node's or undici's; a message may have anything in it. */
function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' && /^[A-Z0-9_]{1,60}$/.test(error.code) ? error.code : 'unknown'
}
