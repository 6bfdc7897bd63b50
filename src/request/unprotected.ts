import type { Clock, Journal, Meter } from '../core/ports.ts'
import type { Entry } from './admit.ts'
import { unprotected, type Ending } from './answer.ts'
import { attemptOnce, type AttemptDependencies } from './attempts.ts'

/*
 * A request with a key whose route says `store_outage: open`, while the store is gone: sent once, without claim and
 * without record. Nothing keeps a retry through another process, or after this one has ended, from running again; that
 * is what the route asked for, and reply, log and metrics say so each time.
 */

export interface UnprotectedDependencies extends AttemptDependencies {
  readonly meter: Meter
  readonly outages: OutageLog
}

/** Never retried, and ended at the client's deadline: an outcome that comes later could be told to nobody. */
export async function sendUnprotected(entry: Entry, deadlineAt: number, deps: UnprotectedDependencies): Promise<Ending> {
  deps.meter.failedOpen(entry.route)
  deps.outages.note(entry.route)
  return unprotected(await attemptOnce(entry, false, deadlineAt, deadlineAt - deps.clock.monotonicMs(), deps), entry.policy)
}

/** An outage lasts longer than one request: each line tells how many were sent since the one before. */
const LINE_EVERY_MS = 10_000

export class OutageLog {
  readonly #clock: Clock
  readonly #journal: Journal
  #requests = 0
  #lastLineAt = -Infinity

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock
    this.#journal = journal
  }

  note(route: string): void {
    this.#requests += 1
    const now = this.#clock.monotonicMs()
    if (now < this.#lastLineAt + LINE_EVERY_MS) return
    this.#journal.warn('store.failed-open', { route, requests: this.#requests })
    this.#requests = 0
    this.#lastLineAt = now
  }
}
