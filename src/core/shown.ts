import type { DeadLetter, OutboxAct } from './outbox.ts'
import type { AuditEntry, KeyRecord } from './record.ts'
import { timeText } from './time-text.ts'

/*
 * Records, dead letters and acts for programs: the command line's --json and the admin API. Never a body, and no header of a reply: they are the
 * client's. A record does not hold the client's key at all. Whose an accepted request is stands nowhere, either. And never a payload of an
 * event: it may hold personal data.
 */

export function recordJson(record: KeyRecord): object {
  const { operationRef, id, route, createdAt, retainUntil, attempts, fence, accepted } = record
  return { operation: operationRef, id, ...stateJson(record), route, accepted_at: accepted === null ? null : timeText(accepted.at), created_at: timeText(createdAt), retain_until: timeText(retainUntil), attempts, fence }
}

function stateJson(record: KeyRecord): object {
  const { state } = record
  switch (state) {
    case 'accepted': return { state }
    case 'in_flight': return { state, lease_until: timeText(record.leaseUntil) }
    case 'uncertain': return { state, since: timeText(record.since), cause: record.cause }
    case 'completed': {
      const { reply } = record
      const kept = reply.kind === 'kept'
      return { state, completed_at: timeText(record.completedAt), status: kept ? reply.reply.status : reply.status, body_kept: kept, body_bytes: kept ? reply.reply.body.length : null }
    }
    default: return record satisfies never
  }
}

export function auditJson({ at, verb, operationRef, id, before, by, reason }: AuditEntry): object {
  return { at: timeText(at), verb, operation: operationRef, id, before, by, reason }
}

export function letterJson(letter: DeadLetter): object {
  const { id, sink, lane, type, committedAt, deadAt, attempts, cause, history, unbuilt, blocks, payload } = letter
  return {
    id, sink, lane, type, committed_at: timeText(committedAt), dead_at: timeText(deadAt), attempts, cause, unbuilt, blocks, payload_bytes: payload.length,
    history: history.map((failure) => ({ at: timeText(failure.at), cause: failure.cause })),
  }
}

export function actJson({ at, verb, event, sink, lane, type, cause, by, reason }: OutboxAct): object {
  return { at: timeText(at), verb, event, sink, lane, type, cause, by, reason }
}
