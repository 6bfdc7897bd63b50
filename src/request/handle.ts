import { clientOf } from '../core/client-name.ts'
import { deadlineMs as deadlineOf } from '../core/deadline.ts'
import { firstPart } from '../core/mismatch.ts'
import type { Ringer } from '../core/outbox-ports.ts'
import type { Checkpoint, Journal, KeyStore, Meter, ReplyCache } from '../core/ports.ts'
import type { DoubtCause } from '../core/record.ts'
import type { Roster } from '../core/roster.ts'
import { exampleOf, traceIds } from '../core/tracing.ts'
import { accept, type AcceptDependencies } from './accept.ts'
import { acceptanceOf, type Acceptance } from './acceptance.ts'
import { capture, type Admission, type Entry, type Namespace } from './admit.ts'
import { inFlight, noStore, notClaimed, notRecorded, replayed, resting, settled, stillRunning, toDuplicates, unknown, unprotectedToDuplicates, type Ending } from './answer.ts'
import { askAboutFound, askAboutOwn } from './ask.ts'
import { attempts, type AttemptDependencies } from './attempts.ts'
import type { Answer, Call } from './call.ts'
import { claim, draftOf } from './claim.ts'
import { fingerprintUnder } from './compare.ts'
import { Flight, type Flights } from './flight.ts'
import type { Lease, LeaseKeeper } from './lease.ts'
import type { Life } from './persist.ts'
import type { Inquiries } from './probe.ts'
import { settle } from './settle.ts'
import { aboutEnding, claimAtHand } from './spans.ts'
import { sendUnprotected, type OutageLog } from './unprotected.ts'
import { accompany, follow, join } from './wait.ts'
import type { Watch } from './watch.ts'

/*
 * Flow one. A client's request goes down this list; each stage may end it, and docs/architecture.md draws the exits.
 *
 *     admit -> capture -> (join another's flight) -> claim -> lease -> attempts -> settle -> answer
 *
 * From the claim on, the flight belongs to the process and not to the client: who hangs up, or is told at the
 * deadline that the work goes on, leaves it flying until it is settled.
 */

export interface FlowDependencies extends AttemptDependencies, Pick<AcceptDependencies, 'completions' | 'operations'> {
  readonly store: KeyStore
  readonly replies: ReplyCache
  readonly meter: Meter
  readonly journal: Journal
  readonly namespace: Namespace
  readonly limits: { readonly requestBodyBytes: number, readonly socketWaitMs: number, readonly keptReplyBytes: number }
  readonly leases: LeaseKeeper
  readonly flights: Flights
  readonly watch: Watch
  readonly inquiries: Inquiries
  readonly bell: Ringer
  readonly outages: OutageLog
  /** flights that are not settled yet; a shutdown waits for them */
  readonly unsettled: Roster<Promise<unknown>>
  readonly life: Life
  readonly checkpoint: Checkpoint | null
}

type Guarded = Extract<Admission, { kind: 'guarded' }>

/** Where a flight is, for the answer at the deadline. */
type Phase = 'claiming' | 'asking' | 'following' | 'attempting' | 'settling' | 'unprotected'

interface Course {
  phase: Phase
  /** the client was answered at the deadline, or because its claim took too long */
  overdue: boolean
  /** the store takes too long, on a route that goes on without it */
  hang: (() => void) | null
  operationRef: string | null
  /** of the doubt that is asked about */
  cause: DoubtCause | null
}

export async function handle(call: Call, admitted: Guarded, deps: FlowDependencies): Promise<Answer> {
  const startedAt = deps.clock.monotonicMs()
  const acceptance = acceptanceOf(admitted.policy, call.fields)
  const room = acceptance === null ? deps : { ...deps, limits: { requestBodyBytes: Math.min(deps.limits.requestBodyBytes, deps.operations.current.requestBodyBytes) } }
  const entry = capture(await call.body(room.limits.requestBodyBytes), call, admitted, room)
  if (entry.kind === 'dropped') return { kind: 'none' }
  if (entry.kind === 'refused') {
    deps.meter.key(entry.outcome, entry.route, exampleOf(call.trace))
    return { kind: 'problem', problem: entry.problem }
  }
  const known = deps.replies.recall(entry.id)
  if (known !== undefined && fingerprintUnder(known.spec, entry, deps.namespace)?.digest === known.fingerprint) {
    claimAtHand(call.trace, known.operationRef)
    return report(entry, replayed(known, entry, deps.clock.wallMs()), startedAt, deps)
  }
  const flight = deps.flights.get(entry.id)
  if (flight === undefined) return begin(entry, acceptance, startedAt, deps)
  const start = await flight.start
  switch (start) {
    case 'claimed': return report(entry, await join(entry, flight, deps), startedAt, deps)
    case 'following': return report(entry, await accompany(entry, flight, deps), startedAt, deps)
    case 'hung': return report(entry, notClaimed({ kind: 'unavailable' }, entry, deps.clock.wallMs()), startedAt, deps)
    case 'elsewhere': return begin(entry, acceptance, startedAt, deps)
    default: return start satisfies never
  }
}

/** No flight of this process has the key. What is accepted makes none: it is not this request that claims. */
function begin(entry: Entry, acceptance: Acceptance | null, startedAt: number, deps: FlowDependencies): Promise<Answer> | Answer {
  if (acceptance === null) return lead(entry, startedAt, deps)
  return accept(entry, acceptance, deps).then((ending) => report(entry, ending, startedAt, deps))
}

/** Answers at the end of the flight or at the deadline, whichever comes first. */
function lead(entry: Entry, startedAt: number, deps: FlowDependencies): Promise<Answer> | Answer {
  const waitMs = deps.breaker === null ? 0 : deps.breaker.waitMs(deps.clock.monotonicMs())
  if (waitMs > 0) return report(entry, resting(waitMs), startedAt, deps)
  return new Promise((resolve) => {
    const course: Course = { phase: 'claiming', overdue: false, hang: null, operationRef: null, cause: null }
    const flight = new Flight(entry.fingerprint, entry.witness)
    const { claimWithinMs } = entry.policy
    const deadlineMs = deadlineOf(entry.call.fields, entry.policy.deadlineFrom, entry.policy.deadlineMs)
    const end = (): void => {
      course.overdue = true
      if (course.phase === 'claiming') flight.sayHung()
      resolve(atDeadline(course, entry))
    }
    // One timer for both bounds: most requests have ended before the first.
    let cancel = claimWithinMs >= deadlineMs ? deps.clock.after(deadlineMs, end) : deps.clock.after(claimWithinMs, () => {
      if (course.phase === 'claiming' && course.hang === null) return end()
      if (course.phase === 'claiming') course.hang?.()
      cancel = deps.clock.after(deadlineMs - claimWithinMs, end)
    })
    const place = deps.unsettled.enter(fly(entry, flight, course, deps.clock.monotonicMs() + deadlineMs, deps).then((ending) => {
      cancel()
      deps.unsettled.leave(place)
      if (course.overdue) letGo(ending.answer)
      return resolve(report(entry, ending, startedAt, deps, course.overdue))
    }))
  })
}

/** Never rejects. */
async function fly(entry: Entry, flight: Flight, course: Course, deadlineAt: number, deps: FlowDependencies): Promise<Ending> {
  const { checkpoint } = deps
  if (!deps.flights.has(entry.id)) deps.flights.set(entry.id, flight)
  let lease: Lease | null = null
  let told: () => Answer = noStore
  try {
    if (checkpoint !== null) await checkpoint('before-claim')
    let issuedAt = deps.clock.monotonicMs()
    const patience = { gone: () => entry.call.gone(), overdue: () => course.overdue, hung: hungOf(entry, course) }
    const draft = draftOf(entry)
    let claimed = await claim(entry, draft, deps, patience)
    deps.meter.took('claim', deps.clock.monotonicMs() - issuedAt, entry.route, null)
    if (claimed.kind === 'uncertain') {
      asking(course, claimed.operationRef, claimed.cause)
      claimed = await askAboutFound(claimed, entry, deadlineAt, deps, () => {
        course.phase = 'claiming'
        issuedAt = deps.clock.monotonicMs()
        return claim(entry, draft, deps, patience)
      })
    }
    if (claimed.kind === 'unprotected') {
      course.phase = 'unprotected'
      told = () => unknown(entry.policy, null, 'sent-unprotected')
      flight.sayClaimed(null)
      const ending = await sendUnprotected(entry, deadlineAt, deps)
      told = () => unprotectedToDuplicates(ending)
      return ending
    }
    if (claimed.kind !== 'claimed') {
      const ending = notClaimed(claimed, entry, deps.clock.wallMs())
      if (claimed.kind !== 'busy') return ending
      course.phase = 'following'
      course.operationRef = ending.operationRef
      flight.sayFollowing(ending.operationRef)
      return await follow(entry, ending, null, deps)
    }
    const { operationRef, recovering, retainUntil } = claimed
    course.phase = 'attempting'
    course.operationRef = operationRef
    told = () => notRecorded(operationRef)
    deps.flights.set(entry.id, flight)
    flight.sayClaimed(operationRef)
    lease = deps.leases.keep(claimed.claim, entry.policy.leaseMs, issuedAt)
    if (checkpoint !== null) await checkpoint('after-claim')
    if (checkpoint !== null) await checkpoint('before-attempt')
    const tried = await attempts(entry, { recovering, issuedAt, retainUntil, lease, deadlineAt }, deps)
    if (checkpoint !== null) await checkpoint('after-attempt')
    course.phase = 'settling'
    if (checkpoint !== null) await checkpoint('before-settle')
    let end = await settle(claimed, tried, draft, entry.call.trace, deps)
    if (checkpoint !== null) await checkpoint('after-settle')
    if (end.kind === 'abandoned') {
      lease.drop() // there is nothing to renew in a doubt
      asking(course, operationRef, end.cause)
      end = await askAboutOwn(end, claimed, draft, entry, deadlineAt, deps)
    }
    const wallMs = deps.clock.wallMs()
    told = () => toDuplicates(end, entry, operationRef, retainUntil, wallMs)
    if (checkpoint !== null) await checkpoint('before-answer')
    return settled(end, entry, operationRef, tried, retainUntil, wallMs)
  } catch (error) {
    deps.journal.error('request.failed', { ...traceIds(entry.call.trace), error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    return { answer: notRecorded(course.operationRef), outcome: 'unavailable', operationRef: course.operationRef, attempts: 0, cause: 'defect' }
  } finally {
    lease?.drop()
    if (deps.flights.get(entry.id) === flight) deps.flights.delete(entry.id)
    flight.end(told)
  }
}

/** A promise only on routes that ask for it. */
function hungOf(entry: Entry, course: Course): Promise<'hung'> | null {
  if (entry.policy.storeOutage === 'closed') return null
  return new Promise((resolve) => { course.hang = () => resolve('hung') })
}

function asking(course: Course, operationRef: string, cause: DoubtCause): void {
  course.phase = 'asking'
  course.operationRef = operationRef
  course.cause = cause
}

function atDeadline({ phase, operationRef, cause }: Course, entry: Entry): Answer {
  switch (phase) {
    case 'claiming': return noStore()
    case 'asking': return unknown(entry.policy, operationRef, cause ?? 'deadline')
    case 'following': return inFlight(operationRef)
    case 'attempting': return stillRunning(operationRef)
    case 'settling': return notRecorded(operationRef)
    case 'unprotected': return unknown(entry.policy, null, 'deadline')
    default: return phase satisfies never
  }
}

/** A streaming reply that nobody will read must not hold its socket. */
function letGo(answer: Answer): void {
  if ((answer.kind === 'fresh' || answer.kind === 'unprotected') && answer.reply.kind === 'streaming') answer.reply.body.cancel()
}

/** Counts and logs the end of one guarded request; called once for each. */
function report(entry: Entry, ending: Ending, startedAt: number, deps: FlowDependencies, late = false): Answer {
  const { answer, outcome, operationRef, attempts: made, cause } = ending
  entry.call.forgetBody()
  if (outcome === 'unavailable' && made === 0 && entry.call.gone()) return { kind: 'none' }
  const status = statusOf(answer)
  const { trace } = entry.call
  if (trace !== null && trace.spanId !== null) trace.note(aboutEnding(ending), outcome === 'uncertain' ? 'uncertain' : null)
  const durationMs = deps.clock.monotonicMs() - startedAt
  const example = exampleOf(trace)
  const client = outcome === 'mismatch' ? clientOf(entry.call.fields) : null
  deps.meter.key(outcome, entry.route, example)
  if (client !== null) deps.meter.mismatch(client, firstPart(cause?.split(' ') ?? []), entry.route)
  deps.meter.took('request', durationMs, entry.route, example)
  deps.journal.settled({
    route: entry.route, method: entry.call.method, outcome, status, id: entry.id.slice(0, 8), operationRef,
    attempts: made, cause, client, late, traceId: trace?.traceId ?? null, spanId: trace?.spanId ?? null, durationMs: Math.round(durationMs * 10) / 10,
  })
  return answer
}

function statusOf(answer: Answer): number {
  switch (answer.kind) {
    case 'fresh': case 'unprotected': return answer.reply.kind === 'whole' ? answer.reply.reply.status : answer.reply.status
    case 'replay': return answer.reply.status
    case 'accepted': return 202
    case 'problem': return answer.problem.status
    case 'none': return 0
    default: return answer satisfies never
  }
}
