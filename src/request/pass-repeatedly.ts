import type { AttemptOutcome } from '../core/attempt.ts'
import { tellDeadline } from '../core/attempt-fields.ts'
import { deadlineMs as deadlineOf } from '../core/deadline.ts'
import { forwardedFields } from '../core/forwarding.ts'
import { firstOf } from '../core/headers.ts'
import type { Attempt } from '../core/ports.ts'
import { problem } from '../core/problem.ts'
import { withoutContent } from '../core/retry.ts'
import type { PassRetry } from '../core/route.ts'
import { resting } from './answer.ts'
import { beginAttempt, ended } from './spans.ts'
import type { BodyReading } from './call.ts'
import { answerTo, passOn, type PassedOn, type PassingCall, type PassingDependencies } from './pass-on.ts'
import { RetryLoop, type Course, type RetryDependencies } from './retry-loop.ts'

export interface RepeatingDependencies extends Omit<PassingDependencies, 'underWay' | 'meter'>, RetryDependencies {}

/** How a route passes requests that it may send again. */
export interface PassingOn {
  readonly route: string
  readonly deadlineMs: number
  readonly retry: PassRetry
}

/**
 * Sends a request that no key hangs on, and sends it again by the same loop and budget as guarded ones, because its route
 * names the method. For that its body must be held; one that is too large, or comes without a length, is sent once.
 */
export async function passRepeatedly(call: PassingCall, passing: PassingOn, deps: RepeatingDependencies): Promise<PassedOn> {
  const { retry, deadlineMs } = passing
  if (!retry.methods.has(call.method) || !mayBeHeld(call, retry.bodyBytes)) return passOn(call, passing.route, deadlineOf(call.fields, retry.deadlineFrom, deadlineMs), deps, retry.deadlineTo)
  const waitMs = deps.breaker === null ? 0 : deps.breaker.waitMs(deps.clock.monotonicMs())
  if (waitMs > 0) {
    const { answer } = resting(waitMs)
    return answer.kind === 'problem' ? answer : { kind: 'none' }
  }
  const reading = await call.body(retry.bodyBytes)
  if (reading.kind !== 'body') return unread(reading)
  const outcomes: AttemptOutcome[] = []
  let left = false
  const takeBack = call.whenGone(() => { left = true })
  deps.pools.of(retry.budget).budget.deposit()
  const gaveUp = await new RetryLoop(courseOf(call, reading.body, passing, deps), outcomes, deps).run()
  takeBack()
  call.forgetBody()
  const last = outcomes.at(-1)
  if (last === undefined) return { kind: 'none' }
  if (left && last.kind !== 'answered') { // who only closes its side is not gone to the socket
    withoutContent(last)
    return { kind: 'none' }
  }
  return answerTo(last, call, gaveUp)
}

function mayBeHeld({ fields }: PassingCall, mostBytes: number): boolean {
  if (firstOf(fields, 'transfer-encoding') !== undefined) return false
  return Number(firstOf(fields, 'content-length') ?? 0) <= mostBytes
}

function courseOf(call: PassingCall, body: Uint8Array, { route, retry, deadlineMs }: PassingOn, deps: RepeatingDependencies): Course {
  const withinMs = deadlineOf(call.fields, retry.deadlineFrom, deadlineMs)
  const deadlineAt = deps.clock.monotonicMs() + withinMs
  return {
    route, retry, deadlineAt, withinMs,
    send: (number) => send(call, body, number, deadlineAt, retry, deps),
    repeatsLost: () => true,
    isStillWorking: () => false,
    trusted: () => !call.gone(),
    whenGone: (task) => call.whenGone(task),
  }
}

function send(call: PassingCall, body: Uint8Array, number: number, deadlineAt: number, { status, deadlineTo }: PassRetry, deps: RepeatingDependencies): Attempt {
  const { method, target } = call
  const fields = forwardedFields(call.fields, call.hop)
  if (deadlineTo !== null) tellDeadline(fields, deadlineTo, deadlineAt - deps.clock.monotonicMs())
  const span = beginAttempt(call, number, fields, deps.random)
  const attempt = ended(span, deps.upstream.attempt(
    { method, target, fields, body, inform: (code, interim) => call.inform(code, interim) },
    { socketWaitMs: deps.limits.socketWaitMs, keptReplyBytes: null, closeDelimited: 'stream', status, afterDoubt: false },
  ))
  const takeBack = call.whenGone(() => attempt.abort('client'))
  void attempt.outcome.then(takeBack)
  return attempt
}

function unread(reading: Exclude<BodyReading, { kind: 'body' }>): PassedOn {
  switch (reading.kind) {
    case 'broken-off': return { kind: 'none' }
    case 'no-room': return { kind: 'problem', problem: problem('overloaded', 'the bodies being held have reached their limit; nothing was sent upstream', { retryAfterMs: 1000 }) }
    case 'too-slow': return { kind: 'problem', problem: problem('request-timeout', 'the body of the request did not arrive in the time it may take; nothing was sent upstream') }
    case 'too-large': return { kind: 'problem', problem: problem('body-too-large', 'the body of the request is longer than it said') }
    default: return reading satisfies never
  }
}
