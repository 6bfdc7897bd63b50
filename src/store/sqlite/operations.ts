import { auditEntry } from '../../core/audit.ts'
import type { OutboxEvent } from '../../core/event.ts'
import type { StoredReply } from '../../core/reply.ts'
import type { Act, AuditEntry, Claim, ClaimOutcome, ClaimRequest, Completion, WriteOutcome } from '../../core/record.ts'
import { isFree, onAbandon, onClaim, onComplete, onEvict, onForget, onReap, onRelease, onRenew, onResolve, type Judged } from '../../core/transition.ts'
import type { KeyRows, Found } from './key-rows.ts'
import { performOutbox } from './outbox-operations.ts'
import type { WiredEvent } from './outbox-wire.ts'
import { BODY, columnsOf, replyOf, sealedText, type Row } from './rows.ts'
import { bodyAt, NOWHERE, type Answer, type Bodies, type Call, type WiredReply } from './wire.ts'

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
      const found = rows.byId(call[1])
      return claimAnswer(apply(step, found, onClaim(found?.record, requestOf(call), nowMs)), step)
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
    case 'lead': case 'resign': case 'take': case 'settle-events': case 'position': case 'bring': case 'arrivals': case 'outbox-census': case 'dead-letters': case 'redrive': case 'discard': case 'outbox-audit':
      return performOutbox(call, step, (events) => eventsFrom(events, step))
    default: return call satisfies never
  }
}

function apply<Outcome>(step: Step, found: Found | undefined, judged: Judged<Outcome>): Outcome {
  switch (judged.change.kind) {
    case 'keep': break
    case 'put': step.rows.put(found, judged.change.record); break
    case 'delete': if (found !== undefined) step.rows.delete(found); break
    default: judged.change satisfies never
  }
  return judged.outcome
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

function requestOf(call: Call & ['claim', ...unknown[]]): ClaimRequest {
  const [, id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, leaseMs, retentionMs, takeWithinMs, probe, outbox] = call
  const onOrphan = takeWithinMs === null ? { kind: 'hold' as const } : { kind: 'take' as const, withinMs: takeWithinMs }
  return { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, leaseMs, retentionMs, onOrphan, probe, outbox }
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
    case 'replay': return ['replay', wiredReply(outcome.reply, step.outgoing), outcome.fence, outcome.fingerprint, outcome.spec, outcome.parts, outcome.operationRef, outcome.retainUntil]
    case 'busy': return ['busy', outcome.retryAfterMs, outcome.operationRef]
    case 'mismatch': return ['mismatch', outcome.spec, outcome.parts, outcome.operationRef]
    case 'uncertain': return ['uncertain', outcome.since, outcome.cause, outcome.operationRef, outcome.fence, outcome.probe, outcome.ageMs, outcome.outbox]
    default: return outcome satisfies never
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
