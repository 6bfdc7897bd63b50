import { WindowedSum } from './windowed-sum.ts'

/*
 * Whether the upstream is asked at all.
 *
 *     closed --too many of the last attempts failed--> open --pause over: one request is let through--> half open
 *       ^                                               ^                                                  |   |
 *       |                                               '---------------- it failed -----------------------'   |
 *       '------------------------------------------------- it did not -----------------------------------------'
 *
 * While it is half open one request per pause goes through: if nobody hears of its end (it may have been a replay), the
 * next one does. It holds no timer; time is a parameter.
 */

export interface BreakerSettings {
  /** the part of the attempts within the window that failed, from which on it opens */
  readonly ratio: number
  /** and of so many at least: two failures of three prove nothing */
  readonly minAttempts: number
  readonly windowMs: number
  readonly pauseMs: number
}

export type BreakerState = 'closed' | 'half-open' | 'open'

export class Breaker {
  readonly #settings: BreakerSettings
  readonly #attempts: WindowedSum
  readonly #failures: WindowedSum
  #state: BreakerState = 'closed'
  /** when the next request is let through; no meaning while it is closed */
  #nextAtMs = 0

  constructor(settings: BreakerSettings) {
    this.#settings = settings
    this.#attempts = new WindowedSum(settings.windowMs)
    this.#failures = new WindowedSum(settings.windowMs)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** 0 if a request may go through, else how long it would have to wait, in ms. */
  waitMs(nowMs: number): number {
    if (this.#state === 'closed') return 0
    if (nowMs < this.#nextAtMs) return this.#nextAtMs - nowMs
    this.#state = 'half-open'
    this.#nextAtMs = nowMs + this.#settings.pauseMs
    return 0
  }

  /** An attempt has ended. Those that were under way when it opened say nothing that is not known. */
  note(failed: boolean, nowMs: number): void {
    switch (this.#state) {
      case 'closed':
        this.#attempts.add(1, nowMs)
        if (failed) this.#count(nowMs)
        return
      case 'half-open':
        if (failed) this.#open(nowMs)
        else this.#state = 'closed'
        return
      case 'open': return
      default: this.#state satisfies never
    }
  }

  #count(nowMs: number): void {
    this.#failures.add(1, nowMs)
    const attempts = this.#attempts.at(nowMs)
    if (attempts >= this.#settings.minAttempts && this.#failures.at(nowMs) >= attempts * this.#settings.ratio) this.#open(nowMs)
  }

  #open(nowMs: number): void {
    this.#state = 'open'
    this.#nextAtMs = nowMs + this.#settings.pauseMs
    this.#attempts.clear()
    this.#failures.clear()
  }
}
