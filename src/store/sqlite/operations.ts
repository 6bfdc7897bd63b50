import { auditEntry } from '../../core/audit.ts'
import type { OutboxEvent } from '../../core/event.ts'
import { OPERATIONS_SINK, lanesOf } from '../../core/operations.ts'
import type { StoredReply } from '../../core/reply.ts'
import type { AcceptOutcome, Act, AuditEntry, Begun, Claim, ClaimOutcome, ClaimRequest, Completion, OnOrphan, WriteOutcome } from '../../core/record.ts'
import { endsWork, isFree, onAbandon, onAccept, onBegin, onClaim, onComplete, onEvict, onForget, onReap, onRelease, onRenew, onResolve, type Judged } from '../../core/transition.ts'
import type { KeyRows, Found } from './key-rows.ts'
import { performOutbox } from './outbox-operations.ts'
import type { WiredEvent } from './outbox-wire.ts'
import { BODY, columnsOf, replyOf, sealedText, type Row } from './rows.ts'
import { bodyAt, NOWHERE, type Answer, type Bodies, type Call, type WiredReply, type WiredRequest } from './wire.ts'

const NOTHING = new Uint8Array(0)

/** What one call of a batch sees: its transaction's rows, the batch's time, and the bodies that came and will go. */
export interface Step {
  readonly rows: KeyRows
  readonly nowMs: number
  readonly incoming: readonly Uint8Array[]
  readonly outgoing: Bodies
}

/** Reads the row, lets the core judge, writes what it says. Throws when the row cannot be trusted or written. */
export function perform(call: Call, step: Step): Answer {
  const { rows, nowMs } = step
  switch (call[0]) {
    case 'claim': {
      const request = requestOf(call[1])
      const found = rows.byId(request.id)
      return claimAnswer(apply(step, found, onClaim(found?.record, request, nowMs)), step)
    }
    case 'accept': return acceptAnswer(accept(call, step), step)
    case 'begin': {
      const [, id, operationRef, holder, leaseMs, takeWithinMs] = call
      const found = rows.byId(id) // one that is not found would not be executed any more
      return begunAnswer(apply(step, found, onBegin(found?.record, { id, operationRef, holder, leaseMs, onOrphan: onOrphanOf(takeWithinMs) }, nowMs)), operationRef)
    }
    case 'renew': {
      const found = rows.forWriteById(call[1])
      return [apply(step, found, onRenew(found?.record, claimOf(call), call[4], nowMs))]
    }
    case 'complete': {
      const found = rows.forWriteById(call[1])
      const completion: Completion = { reply: replyFrom(call[5], step), attempts: call[4], events: eventsFrom(call[6], step) }
      return [applyWithEvents(step, found, onComplete(found?.record, claimOf(call), completion, nowMs), completion.events)]
    }
    case 'release': {
      const found = rows.forWriteById(call[1])
      return [apply(step, found, onRelease(found?.record, claimOf(call)))]
    }
    case 'abandon': {
      const found = rows.forWriteById(call[1])
      return [apply(step, found, onAbandon(found?.record, claimOf(call), call[4], call[5], nowMs))]
    }
    case 'resolve-completed': {
      const found = rows.forWriteById(call[1])
      const events = eventsFrom(call[4], step)
      const judged = onResolve(found?.record, call[2], { as: 'completed', reply: replyFrom(call[3], step), events }, nowMs)
      writeDown('resolve', found, judged, call[5], step)
      endWork(found, judged, step)
      return [applyWithEvents(step, found, judged, events)]
    }
    case 'resolve-not-executed': {
      const found = rows.forWriteById(call[1])
      const judged = onResolve(found?.record, call[2], { as: 'not-executed', operationRef: call[3] }, nowMs)
      writeDown('resolve', found, judged, call[4], step)
      return [apply(step, found, judged)]
    }
    case 'evict': {
      const found = rows.forWriteById(call[1])
      const judged = onEvict(found?.record, nowMs)
      writeDown('evict', found, judged, call[2], step)
      return ['eviction', apply(step, found, judged)]
    }
    case 'forget': {
      const found = rows.forWriteById(call[1])
      const judged = onForget(found?.record, nowMs)
      writeDown('forget', found, judged, call[2], step)
      endWork(found, judged, step)
      return ['forgetting', apply(step, found, judged)]
    }
    case 'audit': return ['audit', rows.audit(call[1])]
    case 'find': return recordsAnswer(rows.find(call[1], call[2], call[3]), step)
    case 'doubts': return recordsAnswer(rows.toProbe(call[1]), step)
    case 'reap': return ['count', reap(step, call[1])]
    case 'sweep': return ['count', sweep(step, call[1])]
    case 'census': return ['census', rows.tally.inFlight, rows.tally.uncertain, rows.tally.completed]
    case 'secret': return ['secret', rows.secret(call[1])]
    case 'key-space': return ['key-space', rows.keySpace(call[1], call[2])]
    case 'shadow-look': return ['shadows', rows.shadows.look(call[1], nowMs)]
    case 'shadow-end':
      rows.shadows.end(call[1])
      return ['written']
    case 'shadow-sweep': return ['count', rows.shadows.sweep(call[1], nowMs)]
    case 'lead': case 'resign': case 'take': case 'settle-events': case 'position': case 'bring': case 'arrivals': case 'outbox-census': case 'dead-letters': case 'redrive': case 'discard': case 'outbox-audit':
      return performOutbox(call, step, (events) => eventsFrom(events, step))
    default: return call satisfies never
  }
}

function apply<Outcome>(step: Step, found: Found | undefined, judged: Judged<Outcome>): Outcome {
  step.rows.apply(found, judged.change)
  return judged.outcome
}

function accept([, wired, wiredEvent, owner, quota]: Call & ['accept', ...unknown[]], step: Step): AcceptOutcome {
  const { rows, nowMs } = step
  const request = requestOf(wired)
  const found = rows.byId(request.id)
  const isNew = found === undefined || isFree(found.record, nowMs)
  const judged = onAccept(found?.record, request, owner, isNew && rows.events.waitingBetween(OPERATIONS_SINK, ...lanesOf(owner), quota) < quota, nowMs)
  if (judged.outcome.kind === 'accepted' && judged.change.kind === 'put') for (const event of eventsFrom([wiredEvent], step)) rows.events.insert(event, nowMs)
  return apply(step, found, judged)
}

/** Of an accepted operation nothing is left to be executed. */
function endWork(found: Found | undefined, judged: Judged<unknown>, { rows }: Step): void {
  const record = found?.record
  if (endsWork(record, judged)) rows.events.remove(record.operationRef, OPERATIONS_SINK)
}

/** Events commit with the transition they belong to: a fenced or repeated write brings none. */
function applyWithEvents(step: Step, found: Found | undefined, judged: Judged<WriteOutcome>, events: readonly OutboxEvent[]): WriteOutcome {
  if (judged.change.kind === 'put') for (const event of events) step.rows.events.insert(event, step.nowMs)
  return apply(step, found, judged)
}

/** Commits with the change that it tells of. */
function writeDown(verb: AuditEntry['verb'], found: Found | undefined, judged: Judged<unknown>, act: Act | null, step: Step): void {
  const entry = act === null ? null : auditEntry(verb, found?.record, judged, act, step.nowMs)
  if (entry !== null) step.rows.insertAudit(entry)
}

function reap(step: Step, limit: number): number {
  let orphaned = 0
  for (const found of step.rows.orphaned(step.nowMs, limit)) {
    const doubt = onReap(found.record, step.nowMs)
    if (doubt === undefined) continue
    step.rows.put(found, doubt)
    orphaned += 1
  }
  return orphaned
}

function sweep(step: Step, limit: number): number {
  let deleted = 0
  for (const found of step.rows.pastRetention(step.nowMs, limit)) {
    if (!isFree(found.record, step.nowMs)) continue
    step.rows.delete(found)
    deleted += 1
  }
  return deleted
}

function requestOf([id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, leaseMs, retentionMs, takeWithinMs, probe, outbox]: WiredRequest): ClaimRequest {
  return { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, leaseMs, retentionMs, onOrphan: onOrphanOf(takeWithinMs), probe, outbox }
}

function onOrphanOf(takeWithinMs: number | null): OnOrphan {
  return takeWithinMs === null ? { kind: 'hold' } : { kind: 'take', withinMs: takeWithinMs }
}

function claimOf(call: readonly [kind: string, id: string, holder: string, fence: number, ...unknown[]]): Claim {
  return { id: call[1], holder: call[2], fence: call[3] }
}

function replyFrom([status, headers, trailers, body]: WiredReply, step: Step): StoredReply {
  return replyOf(status, headers, trailers, bodyAt(body, step.incoming))
}

function eventsFrom(events: readonly WiredEvent[], step: Step): OutboxEvent[] {
  return events.map(([id, sink, lane, type, payload, flaw]) => ({ id, sink, lane, type, payload: bodyAt(payload, step.incoming) ?? NOTHING, flaw }))
}

function claimAnswer(outcome: ClaimOutcome, step: Step): Answer {
  switch (outcome.kind) {
    case 'claimed': return ['claimed', outcome.claim.fence, outcome.recovering, outcome.operationRef, outcome.retainUntil]
    case 'accepted': return ['accepted', outcome.operationRef, false]
    case 'replay': return ['replay', wiredReply(outcome.reply, step.outgoing), outcome.fence, outcome.fingerprint, outcome.spec, outcome.parts, outcome.operationRef, outcome.retainUntil]
    case 'busy': return ['busy', outcome.retryAfterMs, outcome.operationRef]
    case 'mismatch': return ['mismatch', outcome.spec, outcome.parts, outcome.operationRef]
    case 'uncertain': return ['uncertain', outcome.since, outcome.cause, outcome.operationRef, outcome.fence, outcome.probe, outcome.ageMs, outcome.outbox]
    default: return outcome satisfies never
  }
}

function acceptAnswer(outcome: AcceptOutcome, step: Step): Answer {
  switch (outcome.kind) {
    case 'accepted': return ['accepted', outcome.operationRef, outcome.fresh]
    case 'over-quota': return ['over-quota']
    case 'replay': case 'busy': case 'mismatch': case 'uncertain': return claimAnswer(outcome, step)
    default: return outcome satisfies never
  }
}

function begunAnswer(begun: Begun, operationRef: string): Answer {
  switch (begun.kind) {
    case 'claimed': return ['begun', begun.claim.fence, begun.recovering, begun.retainUntil, begun.outbox]
    case 'busy': return ['busy', begun.retryAfterMs, operationRef]
    case 'uncertain': return ['uncertain', begun.since, begun.cause, operationRef, begun.fence, begun.probe, begun.ageMs, begun.outbox]
    case 'completed': case 'gone': return [begun.kind]
    default: return begun satisfies never
  }
}

function wiredReply(stored: StoredReply, bodies: Bodies): WiredReply {
  if (stored.kind === 'not-kept') return [stored.status, null, null, NOWHERE]
  const { status, headers, trailers, body } = stored.reply
  return [status, sealedText(headers), sealedText(trailers), bodies.add(body)]
}

function recordsAnswer(found: readonly Found[], step: Step): Answer {
  const rows = found.map(({ record }): Row => [0, ...columnsOf(record), 0])
  const places = rows.map((row) => {
    const body = row[BODY]
    row[BODY] = null
    return body === null ? NOWHERE : step.outgoing.add(body)
  })
  return ['records', rows, places]
}
