import type { Attempt, Checkpoint, Clock, Journal, KeyStore, Meter, Random, ReplyCache, Upstream } from '../core/ports.ts'
import type { Roster } from '../core/roster.ts'
import { capture, type Admission, type Entry, type Namespace } from './admit.ts'
import { inFlight, noStore, notClaimed, notRecorded, replayed, settled, stillRunning, toDuplicates, type Ending } from './answer.ts'
import { attempts } from './attempts.ts'
import type { Answer, Call } from './call.ts'
import { claim } from './claim.ts'
import { fingerprintUnder } from './compare.ts'
import { Flight, type Flights } from './flight.ts'
import type { LeaseKeeper } from './lease.ts'
import { settle } from './settle.ts'
import { follow, join } from './wait.ts'

/*
 * Flow one. A client's request goes down this list; each stage may end it, and docs/architecture.md draws the exits.
 *
 *     admit -> capture -> (join another's flight) -> claim -> lease -> attempts -> settle -> answer
 *
 * From the claim on, the flight belongs to the process and not to the client: who hangs up, or is told at the
 * deadline that the work goes on, leaves it flying until it is settled.
 */

export interface FlowDependencies {
  readonly store: KeyStore
  readonly replies: ReplyCache
  readonly upstream: Upstream
  readonly clock: Clock
  readonly random: Random
  readonly meter: Meter
  readonly journal: Journal
  readonly namespace: Namespace
  readonly limits: { readonly requestBodyBytes: number, readonly socketWaitMs: number, readonly keptReplyBytes: number }
  readonly leases: LeaseKeeper
  readonly flights: Flights
  readonly underWay: Roster<Attempt>
  /** flights that are not settled yet; a shutdown waits for them */
  readonly unsettled: Roster<Promise<unknown>>
  readonly checkpoint: Checkpoint | null
}

type Guarded = Extract<Admission, { kind: 'guarded' }>

/** Where a flight is, for the answer at the deadline. */
type Phase = 'claiming' | 'following' | 'attempting' | 'settling'

interface Course {
  phase: Phase
  /** the client was answered at the deadline */
  overdue: boolean
  operationRef: string | null
}

export async function handle(call: Call, admitted: Guarded, deps: FlowDependencies): Promise<Answer> {
  const startedAt = deps.clock.monotonicMs()
  const entry = capture(await call.body(deps.limits.requestBodyBytes), call, admitted, deps)
  if (entry.kind === 'dropped') return { kind: 'none' }
  if (entry.kind === 'refused') {
    deps.meter.key(entry.outcome, entry.route)
    return { kind: 'problem', problem: entry.problem }
  }
  const known = deps.replies.recall(entry.id)
  if (known !== undefined && fingerprintUnder(known.spec, entry, deps.namespace)?.digest === known.fingerprint) {
    return report(entry, replayed(known, entry, deps.clock.wallMs()), startedAt, deps)
  }
  const flight = deps.flights.get(entry.id)
  if (flight !== undefined && await flight.claimed) return report(entry, await join(entry, flight, deps), startedAt, deps)
  return lead(entry, startedAt, deps)
}

/** Answers at the end of the flight or at the deadline, whichever comes first. */
function lead(entry: Entry, startedAt: number, deps: FlowDependencies): Promise<Answer> {
  return new Promise((resolve) => {
    const course: Course = { phase: 'claiming', overdue: false, operationRef: null }
    const flight = new Flight(entry.fingerprint, entry.witness)
    const cancel = deps.clock.after(entry.policy.deadlineMs, () => {
      course.overdue = true
      // Whoever waits for this claim's result must not wait longer for a store that hangs.
      if (course.phase === 'claiming') flight.end(noStore())
      resolve(atDeadline(course.phase, course.operationRef))
    })
    const place = deps.unsettled.enter(fly(entry, flight, course, deps).then((ending) => {
      cancel()
      deps.unsettled.leave(place)
      if (course.overdue) letGo(ending.answer)
      return resolve(report(entry, ending, startedAt, deps, course.overdue))
    }))
  })
}

/** Never rejects. */
async function fly(entry: Entry, flight: Flight, course: Course, deps: FlowDependencies): Promise<Ending> {
  const { checkpoint } = deps
  if (!deps.flights.has(entry.id)) deps.flights.set(entry.id, flight)
  let drop: () => void = () => undefined
  let told: Answer = noStore()
  try {
    if (checkpoint !== null) await checkpoint('before-claim')
    const issuedAt = deps.clock.monotonicMs()
    const claimed = await claim(entry, deps, { gone: () => entry.call.gone(), overdue: () => course.overdue })
    if (claimed.kind !== 'claimed') {
      const ending = notClaimed(claimed, entry, deps.clock.wallMs())
      if (claimed.kind !== 'busy') return ending
      course.phase = 'following'
      course.operationRef = ending.operationRef
      flight.end(told) // a follower of another process must not hold up those of this one
      return await follow(entry, ending, deps)
    }
    const { operationRef, recovering, retainUntil } = claimed
    course.phase = 'attempting'
    course.operationRef = operationRef
    told = notRecorded(operationRef)
    deps.flights.set(entry.id, flight)
    flight.sayClaimed(operationRef)
    const lease = deps.leases.keep(claimed.claim, entry.policy.leaseMs, issuedAt)
    drop = () => lease.drop()
    if (checkpoint !== null) await checkpoint('after-claim')
    if (checkpoint !== null) await checkpoint('before-attempt')
    const tried = await attempts(entry, recovering, lease, deps)
    if (checkpoint !== null) await checkpoint('after-attempt')
    course.phase = 'settling'
    if (checkpoint !== null) await checkpoint('before-settle')
    const end = await settle(claimed.claim, tried, deps)
    if (checkpoint !== null) await checkpoint('after-settle')
    const wallMs = deps.clock.wallMs()
    told = toDuplicates(end, entry, operationRef, retainUntil, wallMs)
    if (checkpoint !== null) await checkpoint('before-answer')
    return settled(end, entry, operationRef, tried.outcomes.length, retainUntil, wallMs)
  } catch (error) {
    deps.journal.error('request.failed', { error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    return { answer: notRecorded(course.operationRef), outcome: 'unavailable', operationRef: course.operationRef, attempts: 0, cause: 'defect' }
  } finally {
    drop()
    if (deps.flights.get(entry.id) === flight) deps.flights.delete(entry.id)
    flight.end(told)
  }
}

function atDeadline(phase: Phase, operationRef: string | null): Answer {
  switch (phase) {
    case 'claiming': return noStore()
    case 'following': return inFlight(operationRef)
    case 'attempting': return stillRunning(operationRef)
    case 'settling': return notRecorded(operationRef)
    default: return phase satisfies never
  }
}

/** A streaming reply that nobody will read must not hold its socket. */
function letGo(answer: Answer): void {
  if (answer.kind === 'fresh' && answer.reply.kind === 'streaming') answer.reply.body.cancel()
}

/** Counts and logs the end of one guarded request; called once for each. */
function report(entry: Entry, ending: Ending, startedAt: number, deps: FlowDependencies, late = false): Answer {
  const { answer, outcome, operationRef, attempts: made, cause } = ending
  entry.call.forgetBody()
  if (outcome === 'unavailable' && entry.call.gone()) return { kind: 'none' }
  deps.meter.key(outcome, entry.route)
  deps.journal.settled({
    route: entry.route, method: entry.call.method, outcome, status: statusOf(answer), id: entry.id.slice(0, 8), operationRef,
    attempts: made, cause, late, durationMs: Math.round((deps.clock.monotonicMs() - startedAt) * 10) / 10,
  })
  return answer
}

function statusOf(answer: Answer): number {
  switch (answer.kind) {
    case 'fresh': return answer.reply.kind === 'whole' ? answer.reply.reply.status : answer.reply.status
    case 'replay': return answer.reply.status
    case 'problem': return answer.problem.status
    case 'none': return 0
    default: return answer satisfies never
  }
}
