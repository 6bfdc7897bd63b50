import type { Clock } from './ports.ts'
import { WindowedSum } from './windowed-sum.ts'

/*
 * How many retries there may be, after Finagle's RetryBudget: every first attempt deposits a part of a retry, every retry
 * withdraws a whole one, and both are forgotten after `windowMs`. A floor that time alone pays for lets a quiet service
 * retry, too.
 *
 * An example, with ratio 0.2, 10 a second at least and a window of 10 s:
 *
 *     nothing has happened yet             balance 100          (10 a second, 10 seconds)
 *     1000 first attempts in a second      balance 100 + 200
 *     all of them fail and want a retry    300 are granted, 700 are refused
 *     10 s later, still 1000/s             what was paid in and out is forgotten second by second: in the long run the
 *                                          upstream gets 1000 + 200 + 10 requests a second, whatever fails
 *
 * Only first attempts deposit. If retries did, each would pay for a part of the next one, and a ratio of 1 would be none.
 */

export interface BudgetSettings {
  /** retries per first attempt */
  readonly ratio: number
  readonly minPerSecond: number
  readonly windowMs: number
  /** one budget for all processes that have the same Redis and service */
  readonly shared: boolean
  /** most retries that one process has under way at once, their delays included */
  readonly maxInFlight: number
}

/** What the retry loop sees of a budget, its own or the fleet's. Nothing here waits, so that no request does. */
export interface Budget {
  /** a first attempt was sent */
  deposit(): void
  /** Takes one retry out; false if there is none left, and then nothing is taken. */
  tryWithdraw(): boolean
  /** whole retries that this process could take now */
  balance(): number
  /** Lets go of timers. May be called twice. */
  close(): void
}

/** Amounts are counted in millionths of a retry, so that a window of additions and their ends comes back to 0. */
const ONE = 1_000_000

export class RetryBudget implements Budget {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #window: WindowedSum
  readonly #deposit: number
  readonly #windowMs: number
  #reserve = 0

  constructor({ ratio, minPerSecond, windowMs }: Pick<BudgetSettings, 'ratio' | 'minPerSecond' | 'windowMs'>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
    this.#window = new WindowedSum(windowMs)
    this.#deposit = Math.round(ratio * ONE)
    this.#windowMs = windowMs
    this.minPerSecond = minPerSecond
  }

  set minPerSecond(value: number) {
    this.#reserve = Math.round(value * (this.#windowMs / 1000) * ONE)
  }

  deposit(): void {
    this.#window.add(this.#deposit, this.#clock.monotonicMs())
  }

  tryWithdraw(): boolean {
    const now = this.#clock.monotonicMs()
    if (this.#reserve + this.#window.at(now) < ONE) return false
    this.#window.add(-ONE, now)
    return true
  }

  balance(): number {
    return Math.max(0, Math.floor((this.#reserve + this.#window.at(this.#clock.monotonicMs())) / ONE))
  }

  close(): void {}
}
