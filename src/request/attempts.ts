import { judge, mayHaveActed, type AttemptOutcome, type Verdict } from '../core/attempt.ts'
import { tellDeadline } from '../core/attempt-fields.ts'
import { forwardedFields } from '../core/forwarding.ts'
import type { Attempt, Upstream } from '../core/ports.ts'
import { isInProgress, isRepeatable, type GaveUp } from '../core/retry.ts'
import type { Entry } from './admit.ts'
import type { Call } from './call.ts'
import type { Lease } from './lease.ts'
import { beginAttempt, ended } from './spans.ts'
import { noteHealth, RetryLoop, type Course, type RetryDependencies } from './retry-loop.ts'

/** What was tried for a claim, and what follows from all of it. */
export interface Tried {
  readonly outcomes: readonly AttemptOutcome[]
  readonly verdict: Verdict
  /** why there was no further attempt although the last one failed */
  readonly gaveUp: GaveUp | null
}

export interface AttemptDependencies extends RetryDependencies {
  readonly upstream: Upstream
  readonly limits: { readonly socketWaitMs: number, readonly keptReplyBytes: number }
}

/** What is sent, and under whose rules. */
export type Sending = Pick<Entry, 'route' | 'policy' | 'retentionMs' | 'body'> & { readonly call: Pick<Call, 'method' | 'target' | 'fields' | 'hop' | 'trace' | 'inform'> }

/** What the attempts need to know of the claim, and how long anybody waits for them. */
export interface Claiming {
  /** an earlier attempt of this key, before this claim, may have run */
  readonly recovering: boolean
  /** monotonic; the claim was issued then, so nothing was sent under it before */
  readonly issuedAt: number
  readonly retainUntil: number
  readonly lease: Lease
  /** monotonic; at which the client is told that its request still runs */
  readonly deadlineAt: number
}

/**
 * Tries until there is an answer or nothing more to try. Nearly every request is answered at its first attempt, and for
 * that nothing of the loop is made. An attempt is ended by us only at the end of `linger`, or for the next one: the
 * deadline bounds the client's wait, not the upstream's work.
 */
export async function attempts(entry: Sending, claiming: Claiming, deps: AttemptDependencies): Promise<Tried> {
  const { policy } = entry
  const { recovering, lease } = claiming
  const outcomes: AttemptOutcome[] = []
  let gaveUp: GaveUp | null = null
  if (lease.trusted()) {
    deps.pools.of(policy.retry.budget).budget.deposit()
    if (!endsEarly(entry)) outcomes.push(await attemptOnce(entry, recovering, claiming.deadlineAt, policy.deadlineMs + policy.lingerMs, deps))
    const kind = outcomes[0]?.kind
    if (kind !== 'answered' && kind !== 'aborted') gaveUp = await new RetryLoop(guardedCourse(entry, claiming, outcomes, deps), outcomes, deps).run()
  }
  return { outcomes, verdict: judge(outcomes, recovering, policy.status.rules), gaveUp }
}

/** Already its first attempt has a time of its own, which the loop keeps. */
function endsEarly({ policy, call }: Sending): boolean {
  return policy.retry.perTryMs !== null && (policy.whenUnsure.kind === 'resend' || isRepeatable(call.method))
}

/** The first attempt of a request, ended by us after `withinMs`, which is the same for all requests of a route: see host/delay-queue.ts. Never rejects, as no attempt does. */
export function attemptOnce(entry: Sending, recovering: boolean, deadlineAt: number, withinMs: number, deps: AttemptDependencies): Promise<AttemptOutcome> {
  const sentAt = deps.clock.monotonicMs()
  const attempt = send(entry, recovering ? 2 : 1, recovering, deadlineAt, deps)
  const place = deps.underWay.enter(attempt)
  const cancel = deps.clock.after(withinMs, () => attempt.abort('deadline'))
  return attempt.outcome.then((outcome) => {
    cancel()
    deps.meter.took('upstream', deps.clock.monotonicMs() - sentAt, entry.route, null)
    deps.underWay.leave(place)
    noteHealth(outcome, deps)
    return outcome
  })
}

function send(entry: Sending, number: number, afterDoubt: boolean, deadlineAt: number, deps: AttemptDependencies): Attempt {
  const { method, target, fields: sent, hop } = entry.call
  const { status, closeDelimited, deadlineTo } = entry.policy
  const { socketWaitMs, keptReplyBytes } = deps.limits
  const fields = forwardedFields(sent, hop)
  if (deadlineTo !== null) tellDeadline(fields, deadlineTo, deadlineAt - deps.clock.monotonicMs())
  const span = beginAttempt(entry.call, number, fields, deps.random)
  return ended(span, deps.upstream.attempt(
    { method, target, fields, body: entry.body, inform: (code, interim) => entry.call.inform(code, interim) },
    { socketWaitMs, keptReplyBytes, closeDelimited, status, afterDoubt },
  ))
}

/** What happened to a client that hung up changes nothing here: the claim was sent. */
function guardedCourse(entry: Sending, { recovering, issuedAt, retainUntil, lease, deadlineAt }: Claiming, outcomes: readonly AttemptOutcome[], deps: AttemptDependencies): Course {
  const { route, policy, retentionMs, call } = entry
  const { whenUnsure, status } = policy
  // After a take-over the first dispatch was no earlier than the record, which is as old as its retention says.
  const sinceFirstMs = (): number => (recovering ? deps.clock.wallMs() - (retainUntil - retentionMs) : deps.clock.monotonicMs() - issuedAt)
  const doubted = (before: readonly AttemptOutcome[]): boolean => recovering || before.some(mayHaveActed)
  return {
    route,
    retry: policy.retry,
    deadlineAt,
    withinMs: policy.deadlineMs + policy.lingerMs,
    send: (number) => send(entry, recovering ? number + 1 : number, doubted(outcomes), deadlineAt, deps),
    repeatsLost: () => isRepeatable(call.method) || (whenUnsure.kind === 'resend' && sinceFirstMs() < whenUnsure.withinMs),
    isStillWorking: (last) => isInProgress(last, doubted(outcomes.slice(0, -1)), status),
    trusted: () => lease.trusted(),
    whenGone: () => () => undefined,
  }
}
