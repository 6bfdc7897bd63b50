import { statusOf, type AttemptOutcome } from '../core/attempt.ts'
import type { Hop } from '../core/forwarding.ts'
import type { Executed, Waiting } from '../core/operations.ts'
import type { Policy } from '../core/policy.ts'
import { StoreUnavailable } from '../core/ports.ts'
import { readDraft } from '../core/read-draft.ts'
import type { Begun, BeginRequest, DoubtCause, KeyRecord } from '../core/record.ts'
import { askedToWaitMs, health } from '../core/retry.ts'
import type { Roster } from '../core/roster.ts'
import type { Route } from '../core/route.ts'
import { readStoredRequest, type StoredRequest } from '../core/stored-request.ts'
import { traceIds, type Trace, type Tracer } from '../core/tracing.ts'
import type { Entry } from './admit.ts'
import { askAboutOwn, type AskDependencies } from './ask.ts'
import { attempts, type AttemptDependencies, type Sending } from './attempts.ts'
import type { Asking } from './claim.ts'
import type { LeaseKeeper } from './lease.ts'
import { insist } from './persist.ts'
import { beginStage, claimEnds } from './spans.ts'
import { settle, type SettleDependencies, type Settled } from './settle.ts'
import type { Watch } from './watch.ts'

/*
 * Flow one for a request that was accepted (accept.ts), as the relay hands it over. Nobody waits for its answer.
 *
 *     stored request -> begin -> lease -> attempts -> settle -> what the relay does with its event
 *                         |--completed, gone, busy--> likewise
 *                         '--uncertain--> by policy: asked about, sent again by `begin`, or left to somebody
 *
 * The policy is the one that is in force now. A doubt stays a doubt (invariant I4): it is never sent again unless the policy says that
 * the upstream honours the key, or somebody has found out that it was not executed.
 */

export interface ExecuteDependencies extends AttemptDependencies, SettleDependencies, AskDependencies {
  readonly leases: LeaseKeeper
  readonly watch: Pick<Watch, 'poke'>
  /** what a shutdown waits for */
  readonly unsettled: Roster<Promise<unknown>>
  readonly routes: () => readonly Route[]
  /** how this process signs for what it sends */
  readonly hop: Pick<Hop, 'pseudonym' | 'host' | 'forwarded'>
  readonly missing: MissingRoutes
  readonly tracer: Tracer
  /** true from the start of a drain: what has not begun stays where it is */
  readonly draining: () => boolean
}

/** Thousands may wait for a route that is gone: each configuration tells of it once. */
export class MissingRoutes {
  readonly #names = new Set<string>()
  #routes: readonly Route[] = []

  isNew(name: string, routes: readonly Route[]): boolean {
    if (routes !== this.#routes) this.#names.clear()
    this.#routes = routes
    if (this.#names.has(name)) return false
    this.#names.add(name)
    return true
  }
}

/** Times after which it is looked at again, where nothing says how long it takes: rare enough for thousands that wait for an operator. */
const AGAIN_MS: Readonly<Record<Waiting, number>> = { 'busy': 1000, 'unsure': 30_000, 'other-rules': 30_000, 'store': 1000, 'draining': 0, 'unreadable': 60_000 }

const SOONEST_MS = 1000

/** Who asks for longer is asked again after an hour, as receivers are (sink/judge-reply.ts): one wrong number must not stop all that was accepted for a day. */
const LONGEST_WAIT_MS = 3_600_000

type Work = Sending & Asking & Pick<Entry, 'id'> & { readonly operationRef: string }

/** For the one line per execution. */
interface Told {
  attempts: number
  cause: string | null
}

/** Never rejects for what the upstream or the store does. */
export async function execute(payload: Uint8Array, deps: ExecuteDependencies): Promise<Executed> {
  const stored = readStoredRequest(payload)
  if (stored === undefined) {
    deps.journal.error('operation.unreadable', {})
    return later('unreadable', deps)
  }
  if (deps.draining()) return later('draining', deps)
  const policy = policyOf(stored.route, deps.routes())
  if (policy === null) {
    if (deps.missing.isNew(stored.route, deps.routes())) deps.journal.warn('operation.without-route', { route: stored.route, operationRef: stored.operationRef })
    return later('other-rules', deps)
  }
  const restMs = deps.breaker === null ? 0 : deps.breaker.waitMs(deps.clock.monotonicMs())
  if (restMs > 0) return { kind: 'released', cause: 'the upstream fails and is left alone for a while', blame: 'sink', notBeforeMs: restMs }
  const trace = deps.tracer.execute(stored.fields, stored.route)
  const executing = begin(workOf(stored, policy, trace, deps), deps)
  if (trace !== null && trace.spanId !== null) executing.then((executed) => endExecution(trace, executed, stored.operationRef), () => trace.end({}, 'defect'))
  const place = deps.unsettled.enter(executing.catch(() => undefined)) // a defect is the relay's to report
  return executing.finally(() => deps.unsettled.leave(place))
}

async function begin(work: Work, deps: ExecuteDependencies): Promise<Executed> {
  const { clock } = deps
  try {
    const issuedAt = clock.monotonicMs()
    const begun = await ask(work, deps)
    if (begun?.kind !== 'uncertain' || begun.probe === null || work.policy.whenUnsure.kind !== 'probe') return await goOn(work, begun, issuedAt, deps)
    const doubt = { ...begun, probe: begun.probe, id: work.id, route: work.route, operationRef: work.operationRef, knownAt: clock.monotonicMs() }
    const { deadlineMs, whenUnsure: { probe } } = work.policy
    const end = await deps.inquiries.inquire(doubt, { until: clock.monotonicMs() + deadlineMs, questions: probe.attempts, mayFree: true })
    if (end === 'unclear') return inDoubt(work.policy, begun.cause, true, deps)
    if (deps.draining()) return later('draining', deps)
    const againAt = clock.monotonicMs()
    return await goOn(work, await ask(work, deps), againAt, deps)
  } catch (error) {
    if (error instanceof StoreUnavailable) return later('store', deps)
    throw error
  }
}

/** Null: the store did not answer, and nothing was begun. A row that may stand is asked about until it is known: left alone it would end as a doubt. */
function ask(work: Work, deps: ExecuteDependencies): Promise<Begun | null> {
  const span = beginStage(work.call.trace, 'claim')
  const asking = askStore(work, deps)
  return span === null ? asking : claimEnds(span, asking)
}

async function askStore({ id, operationRef, policy: { leaseMs, whenUnsure } }: Work, deps: ExecuteDependencies): Promise<Begun | null> {
  const onOrphan: BeginRequest['onOrphan'] = whenUnsure.kind === 'resend' ? { kind: 'take', withinMs: whenUnsure.withinMs } : { kind: 'hold' }
  const request: BeginRequest = { id, operationRef, holder: deps.random.token(16), leaseMs, onOrphan }
  try {
    return await deps.store.begin(request)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return error.written === 'no' ? null : await insist(error, () => deps.store.begin(request), deps)
  }
}

function goOn(work: Work, begun: Begun | null, issuedAt: number, deps: ExecuteDependencies): Promise<Executed> | Executed {
  if (begun === null) return later('store', deps)
  switch (begun.kind) {
    case 'claimed': return carryOut(work, begun, issuedAt, deps)
    case 'completed': return { kind: 'completed' }
    case 'busy': return { kind: 'waiting', why: 'busy', againMs: begun.retryAfterMs + jittered('busy', deps) }
    // under `resend` its time is over
    case 'uncertain': return work.policy.whenUnsure.kind === 'resend' ? { kind: 'doubt', cause: begun.cause } : inDoubt(work.policy, begun.cause, begun.probe !== null, deps)
    case 'gone': return { kind: 'gone' }
    default: return begun satisfies never
  }
}

async function carryOut(work: Work, begun: Extract<Begun, { kind: 'claimed' }>, issuedAt: number, deps: ExecuteDependencies): Promise<Executed> {
  const { clock, journal, leases, watch } = deps
  const { route, operationRef, policy } = work
  const startedAt = clock.monotonicMs()
  const lease = leases.keep(begun.claim, policy.leaseMs, issuedAt)
  const told: Told = { attempts: 0, cause: null }
  watch.poke(operationRef) // who waits for it hears of the rest by the word that a settle gives
  try {
    const deadlineAt = startedAt + policy.deadlineMs
    const draft = begun.outbox === null ? null : readDraft(begun.outbox)
    const { recovering, retainUntil } = begun
    // what it would tell others cannot be read here: nothing is sent, as with a lease that nobody trusts
    const readable = draft !== undefined
    const trusted = readable ? lease : { trusted: () => false, drop: () => undefined }
    const tried = await attempts(work, { recovering, issuedAt, retainUntil, lease: trusted, deadlineAt }, deps)
    told.attempts = tried.outcomes.length
    const claimed = { ...begun, operationRef }
    let end = await settle(claimed, tried, draft ?? null, work.call.trace, deps)
    if (end.kind === 'abandoned') {
      lease.drop() // there is nothing to renew in a doubt
      told.cause = end.cause
      end = await askAboutOwn(end, claimed, draft ?? null, work, deadlineAt, deps)
    }
    const executed = readable ? executedBy(end, work, told, deps) : later('unreadable', deps)
    const durationMs = Math.round(clock.monotonicMs() - startedAt)
    const line = { route, operationRef, end: executed.kind, attempts: told.attempts, durationMs, ...(told.cause === null ? {} : { cause: told.cause }), ...traceIds(work.call.trace) }
    if (executed.kind === 'completed' && told.attempts === 1 && told.cause === null) journal.routine('operation.executed', line, work.call.trace?.traceId ?? null)
    else journal.info('operation.executed', line)
    return executed
  } finally {
    lease.drop()
    watch.poke(operationRef)
  }
}

/** An execution that waits for its turn has no error; one that came to nothing, or to a doubt, has. */
function endExecution(trace: Trace, executed: Executed, operationRef: string): void {
  trace.end({ 'onceward.operation_ref': operationRef, 'onceward.execution.outcome': executed.kind }, executed.kind === 'completed' || executed.kind === 'waiting' ? null : executed.kind)
}

function executedBy(end: Settled, work: Work, told: Told, deps: ExecuteDependencies): Executed {
  switch (end.kind) {
    case 'completed':
      if (end.live.kind === 'streaming') end.live.body.cancel()
      return { kind: 'completed' }
    case 'released':
      if (end.passedOn?.kind === 'streaming') end.passedOn.body.cancel()
      return released(end.last, told, deps)
    case 'abandoned':
      if (end.passedOn?.kind === 'streaming') end.passedOn.body.cancel()
      return inDoubt(work.policy, end.cause, work.policy.whenUnsure.kind === 'probe', deps)
    case 'fenced': return superseded(end.found, work, deps)
    default: return end satisfies never
  }
}

function released(last: AttemptOutcome | undefined, told: Told, deps: ExecuteDependencies): Executed {
  if (last === undefined) return later('busy', deps) // its lease was over before anything was sent
  told.cause = causeOf(last)
  if (last.kind === 'aborted' && last.by === 'shutdown') return later('draining', deps)
  const notBeforeMs = Math.min(askedToWaitMs(last, deps.clock.wallMs()), LONGEST_WAIT_MS)
  const blame = last.kind === 'not_sent' || last.kind === 'aborted' || health(last) === 'ill' ? 'sink' : 'event'
  return { kind: 'released', cause: told.cause, blame, notBeforeMs: notBeforeMs === 0 ? null : notBeforeMs }
}

function causeOf(outcome: AttemptOutcome): string {
  switch (outcome.kind) {
    case 'answered': case 'refused': return `the upstream answered ${statusOf(outcome.reply)}`
    case 'not_sent': return `not sent: ${outcome.cause}`
    case 'lost': return outcome.cause
    case 'aborted': return `ended before it was sent: ${outcome.by}`
    default: return outcome satisfies never
  }
}

/** `askable`: its upstream can be asked about it, by the sweep of doubts or at the next execution. */
function inDoubt({ whenUnsure }: Policy, cause: DoubtCause, askable: boolean, deps: ExecuteDependencies): Executed {
  switch (whenUnsure.kind) {
    case 'hold': return { kind: 'doubt', cause }
    case 'resend': return { kind: 'resent', cause }
    // sooner than `quiet` what is absent counts for nothing
    case 'probe': return askable ? { kind: 'waiting', why: 'unsure', againMs: Math.min(AGAIN_MS.unsure, Math.max(SOONEST_MS, whenUnsure.probe.quietMs)) + deps.random.uniform() * SOONEST_MS } : { kind: 'doubt', cause }
    default: return whenUnsure satisfies never
  }
}

/** Somebody took it over, or resolved it meanwhile. */
function superseded(found: KeyRecord | undefined, { operationRef, policy }: Work, deps: ExecuteDependencies): Executed {
  if (found === undefined || found.operationRef !== operationRef) return { kind: 'gone' }
  switch (found.state) {
    case 'completed': return { kind: 'completed' }
    case 'in_flight': case 'accepted': return later('busy', deps)
    case 'uncertain': return inDoubt(policy, found.cause, found.probe !== null, deps)
    default: return found satisfies never
  }
}

function later(why: Waiting, deps: ExecuteDependencies): Executed {
  return { kind: 'waiting', why, againMs: jittered(why, deps) }
}

function jittered(why: Waiting, { random }: ExecuteDependencies): number {
  return AGAIN_MS[why] * (0.5 + random.uniform() / 2)
}

function policyOf(name: string, routes: readonly Route[]): Policy | null {
  const action = routes.find((route) => route.name === name)?.action
  return action?.kind === 'guard' ? action.policy : null
}

function workOf({ id, operationRef, route, key, identityName, retentionMs, method, target, fields, hop, body }: StoredRequest, policy: Policy, trace: Trace | null, deps: ExecuteDependencies): Work {
  return { id, operationRef, route, policy, key, identityName, retentionMs, body, call: { method, target, fields, trace, hop: { ...hop, ...deps.hop }, inform: () => undefined } }
}
