import type { AttemptOutcome } from '../../src/core/attempt.ts'
import type { Attempt, AttemptLimits, Clock, UpstreamRequest } from '../../src/core/ports.ts'

export interface SeenAttempt {
  readonly atMs: number
  readonly request: UpstreamRequest
  readonly afterDoubt: boolean
}

/** Ends of attempts in order, each after `takesMs`; `null` is an attempt that never ends by itself. The last one repeats. */
export type Schedule = readonly { readonly outcome: AttemptOutcome | null, readonly takesMs: number }[]

/** An upstream that is a list of ends, by a clock that a test moves. */
export class ScheduledUpstream {
  readonly seen: SeenAttempt[] = []
  readonly #clock: Clock
  readonly #schedule: Schedule

  constructor(clock: Clock, schedule: Schedule) {
    this.#clock = clock
    this.#schedule = schedule
  }

  readonly attempt = (request: UpstreamRequest, limits: AttemptLimits): Attempt => {
    const next = this.#schedule[Math.min(this.seen.length, this.#schedule.length - 1)] ?? { outcome: null, takesMs: 0 }
    this.seen.push({ atMs: this.#clock.monotonicMs(), request, afterDoubt: limits.afterDoubt })
    const { promise, resolve } = Promise.withResolvers<AttemptOutcome>()
    const cancel = next.outcome === null ? () => undefined : this.#clock.after(next.takesMs, () => resolve(next.outcome ?? { kind: 'not_sent', cause: 'dns' }))
    return { outcome: promise, abort: (by) => { cancel(); resolve({ kind: 'aborted', by, sent: true }) } }
  }
}

export function whole(status: number, headers: readonly string[] = [], body = ''): { readonly kind: 'whole', readonly reply: { readonly status: number, readonly headers: readonly string[], readonly body: Uint8Array, readonly trailers: readonly string[] } } {
  return { kind: 'whole', reply: { status, headers, body: Buffer.from(body), trailers: [] } }
}

export const ANSWERED: AttemptOutcome = { kind: 'answered', reply: whole(201, [], 'done') }
export const NOT_SENT: AttemptOutcome = { kind: 'not_sent', cause: 'connect-refused' }
export const LOST: AttemptOutcome = { kind: 'lost', cause: 'connection-lost', reply: null }

export function refused(...headers: readonly string[]): AttemptOutcome {
  return { kind: 'refused', reply: whole(503, headers, 'busy') }
}
