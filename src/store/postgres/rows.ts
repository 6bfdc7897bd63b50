import type { Fields } from '../../core/headers.ts'
import { StoreUnavailable } from '../../core/ports.ts'
import type { AuditEntry, Doubt, DoubtCause, KeyRecord, KeyState } from '../../core/record.ts'
import type { StoredReply } from '../../core/reply.ts'
import type { Row } from './connection.ts'

/*
 * Between columns and records. The table's CHECKs vouch for which columns a state has; what somebody has changed by hand
 * so that it is no record any more is an outage and never an answer.
 */

export function text(row: Row, column: number): string {
  return row[column] ?? damaged(`column ${column} is null`)
}

export function number(row: Row, column: number): number {
  return Number(text(row, column))
}

const CAUSES: Readonly<Record<DoubtCause, true>> = {
  'lease-expired': true, 'connection-lost': true, 'reply-incomplete': true, 'ambiguous-status': true, 'deadline': true, 'shutdown': true, 'sent-unprotected': true,
}

export function causeAt(row: Row, column: number): DoubtCause {
  const cause = text(row, column)
  return isCause(cause) ? cause : damaged('the cause of a doubt is unknown')
}

function isCause(word: string): word is DoubtCause {
  return Object.hasOwn(CAUSES, word)
}

/** Status, headers, trailers and body, from `column` on. */
export function replyAt(row: Row, column: number): StoredReply {
  const status = number(row, column)
  const [headers, trailers, body] = [row[column + 1], row[column + 2], row[column + 3]]
  if (typeof headers !== 'string' || typeof trailers !== 'string' || typeof body !== 'string') return { kind: 'not-kept', status }
  return { kind: 'kept', reply: { status, headers: fieldsOf(headers), trailers: fieldsOf(trailers), body: Buffer.from(body, 'base64') } }
}

/** The columns of keys-by-*.sql. */
export function recordOf(row: Row): KeyRecord {
  const acceptedAt = row[23] ?? null
  return {
    id: idOf(text(row, 0)), keyDigest: text(row, 1), operationRef: text(row, 2), fingerprint: text(row, 3), spec: text(row, 4), parts: text(row, 5),
    holder: text(row, 6), fence: number(row, 7), route: text(row, 8), createdAt: number(row, 9), retainUntil: number(row, 10), attempts: number(row, 11), probe: row[21] ?? null, outbox: row[22] ?? null,
    accepted: acceptedAt === null ? null : { at: Number(acceptedAt), owner: text(row, 24) },
    ...stateAt(row),
  }
}

/** The columns of doubts.sql. */
export function doubtOf(row: Row): Doubt {
  return { id: idOf(text(row, 0)), fence: number(row, 1), route: text(row, 2), operationRef: text(row, 3), cause: causeAt(row, 4), probe: text(row, 5), ageMs: number(row, 6), outbox: row[7] ?? null }
}

/** The columns of audit.sql. */
export function auditEntryOf(row: Row): AuditEntry {
  const [verb, before] = [text(row, 3), text(row, 6)]
  if (verb !== 'evict' && verb !== 'forget' && verb !== 'resolve') return damaged('an act is unknown')
  if (before !== 'accepted' && before !== 'in_flight' && before !== 'completed' && before !== 'uncertain') return damaged('a state is unknown')
  return { at: number(row, 0), by: text(row, 1), reason: text(row, 2), verb, id: idOf(text(row, 4)), operationRef: text(row, 5), before }
}

export function idOf(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url')
}

function stateAt(row: Row): KeyState {
  const state = text(row, 12)
  switch (state) {
    case 'accepted': return { state }
    case 'in_flight': return { state, leaseUntil: number(row, 13) }
    case 'completed': return { state, completedAt: number(row, 14), reply: replyAt(row, 17) }
    case 'uncertain': return { state, since: number(row, 15), cause: causeAt(row, 16) }
    default: return damaged('a state is unknown')
  }
}

function fieldsOf(json: string): Fields {
  let fields: unknown
  try {
    fields = JSON.parse(json)
  } catch {
    return damaged('the fields of a stored reply are not JSON')
  }
  return Array.isArray(fields) && fields.every((field) => typeof field === 'string') ? fields : damaged('the fields of a stored reply are not a list of strings')
}

function damaged(detail: string): never {
  throw new StoreUnavailable('no', `a row of the database is not what was written: ${detail}`)
}
