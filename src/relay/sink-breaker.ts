import { backoffMs } from '../core/backoff.ts'
import type { Delivery } from '../core/delivery.ts'

/*
 * Whether a sink is delivered to at all.
 *
 *     closed --the sink says so, or three lanes in a row fail--> open --pause over: one event is sent--> probing
 *       ^                                                         ^                                      |   |
 *       |                                                         '---------- it failed likewise --------'   |
 *       '-------------------------- it arrived, or the receiver judged it ----------------------------------'
 *
 * A failure that is the sink's costs no event an attempt; one that the receiver blames on the event always does. Who a timeout or
 * a 500 is to be blamed on nobody knows: from three different lanes without a success in between it is the sink. Two are not
 * enough, since a poisoned event may fail beside one stray reset. In a sink where fewer than three lanes have anything to send
 * a poisoned event cannot be told from an outage that shows as timeouts, so there such failures count, and the event becomes a
 * dead letter after its attempts: a lane that stops and is seen is better than one that tries for ever and is not. For the same
 * reason a probe counts that is the same lane's as the probe before: there is nobody else who could be asked.
 */

const LANES_IN_A_ROW = 3
/** The longest pause; the first is up to a second, and each further one up to twice the one before. */
const PAUSE = { baseMs: 1000, capMs: 30_000, jitter: 'full' } as const

/** Whose failure it was. `unsure`: the event's, unless the breaker opens before it is written down. */
export type Blamed = 'event' | 'sink' | 'unsure'

type State =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open', readonly untilMs: number }
  | { readonly kind: 'probing' }

export class SinkBreaker {
  readonly #uniform: () => number
  readonly #onChange: (open: boolean) => void
  #state: State = { kind: 'closed' }
  /** lanes that failed since the last success, for reasons that nobody knows */
  readonly #failed = new Set<string>()
  #pauses = 0
  #ready = true
  #lastProbed: string | null = null

  constructor(uniform: () => number, onChange: (open: boolean) => void) {
    this.#uniform = uniform
    this.#onChange = onChange
  }

  get closed(): boolean {
    return this.#state.kind === 'closed'
  }

  /** False after a failure that was the sink's: it begins anew before anything else is sent. */
  get ready(): boolean {
    return this.#ready
  }

  begun(): void {
    this.#ready = true
  }

  /** 0 if something may be sent, else for how long nothing may; Infinity while a probe is out. */
  waitMs(nowMs: number): number {
    switch (this.#state.kind) {
      case 'closed': return 0
      case 'open': return Math.max(0, this.#state.untilMs - nowMs)
      case 'probing': return Infinity
      default: return this.#state satisfies never
    }
  }

  /** How many events the call that starts now may have. */
  admit(nowMs: number): number {
    if (this.closed) return Infinity
    if (this.waitMs(nowMs) > 0) return 0
    this.#state = { kind: 'probing' }
    return 1
  }

  /** One delivery has ended. Says who is to blame, if it failed. */
  note(lane: string, delivery: Delivery, nowMs: number): Blamed {
    switch (delivery.kind) {
      case 'delivered':
        this.#answered()
        return 'event'
      // decided on our side, so it says nothing about the sink: the next one may ask
      case 'refused':
      case 'postponed':
      case 'disabled':
        if (this.#state.kind === 'probing') this.#state = { kind: 'open', untilMs: nowMs }
        return 'event'
      case 'retryable': return this.#failure(lane, delivery, nowMs)
      default: return delivery satisfies never
    }
  }

  #failure(lane: string, { blame, notBeforeMs }: Extract<Delivery, { kind: 'retryable' }>, nowMs: number): Blamed {
    switch (blame) {
      case 'event':
        if (this.#state.kind === 'probing') this.#answered() // who judges is there
        return 'event'
      case 'sink':
        this.#ready = false
        this.#open(notBeforeMs ?? 0, nowMs)
        return 'sink'
      case 'unknown': return this.#unexplained(lane, nowMs)
      default: return blame satisfies never
    }
  }

  #unexplained(lane: string, nowMs: number): Blamed {
    switch (this.#state.kind) {
      case 'open': return 'sink'
      case 'probing': {
        const again = this.#lastProbed === lane
        this.#lastProbed = lane
        this.#open(0, nowMs)
        return again ? 'event' : 'sink'
      }
      case 'closed':
        if (this.#failed.add(lane).size < LANES_IN_A_ROW) return 'unsure'
        this.#open(0, nowMs)
        return 'sink'
      default: return this.#state satisfies never
    }
  }

  /** Those that were under way when it opened say nothing that is not known, unless they ask for a longer pause. */
  #answered(): void {
    if (this.#state.kind === 'open') return
    this.#failed.clear()
    if (this.closed) return
    this.#state = { kind: 'closed' }
    this.#pauses = 0
    this.#lastProbed = null
    this.#onChange(false)
  }

  #open(notBeforeMs: number, nowMs: number): void {
    if (this.#state.kind === 'open') {
      this.#state = { kind: 'open', untilMs: Math.max(this.#state.untilMs, nowMs + notBeforeMs) }
      return
    }
    const wasClosed = this.closed
    this.#state = { kind: 'open', untilMs: nowMs + notBeforeMs + backoffMs(PAUSE, this.#pauses, 0, this.#uniform()) }
    this.#pauses += 1
    this.#failed.clear()
    if (wasClosed) this.#onChange(true)
  }
}
