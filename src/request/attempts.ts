import { judge, type AttemptOutcome, type Verdict } from '../core/attempt.ts'
import { forwardedFields } from '../core/forwarding.ts'
import type { Attempt, Clock, Upstream } from '../core/ports.ts'
import type { Roster } from '../core/roster.ts'
import type { Entry } from './admit.ts'
import type { Lease } from './lease.ts'

/** What was tried for a claim, and what follows from all of it. */
export interface Tried {
  readonly outcomes: readonly AttemptOutcome[]
  readonly verdict: Verdict
}

export interface AttemptDependencies {
  readonly upstream: Upstream
  readonly clock: Clock
  readonly limits: { readonly socketWaitMs: number, readonly keptReplyBytes: number }
  /** attempts under way, so that a shutdown can end them */
  readonly underWay: Roster<Attempt>
}

/**
 * Tries, once for now: the retry loop will count and sleep here, with `judge` as its only judge. An attempt is ended
 * by us only at the end of `linger`: the deadline bounds the client's wait, not the upstream's work.
 */
export async function attempts(entry: Entry, recovering: boolean, lease: Lease, deps: AttemptDependencies): Promise<Tried> {
  const outcomes: AttemptOutcome[] = []
  if (lease.trusted()) outcomes.push(await attemptOnce(entry, recovering, entry.policy.deadlineMs + entry.policy.lingerMs, deps))
  return { outcomes, verdict: judge(outcomes, recovering, entry.policy.status.rules) }
}

/** One attempt, ended by us after `withinMs`. Never rejects, as no attempt does. */
export function attemptOnce(entry: Entry, recovering: boolean, withinMs: number, deps: AttemptDependencies): Promise<AttemptOutcome> {
  const { method, target, fields, hop } = entry.call
  const { status, closeDelimited } = entry.policy
  const { socketWaitMs, keptReplyBytes } = deps.limits
  const attempt = deps.upstream.attempt(
    { method, target, fields: forwardedFields(fields, hop), body: entry.body, inform: (code, interim) => entry.call.inform(code, interim) },
    { socketWaitMs, keptReplyBytes, closeDelimited, status, afterDoubt: recovering },
  )
  const place = deps.underWay.enter(attempt)
  const cancel = deps.clock.after(withinMs, () => attempt.abort('deadline'))
  return attempt.outcome.then((outcome) => {
    cancel()
    deps.underWay.leave(place)
    return outcome
  })
}
