import type { AuditEntry, KeyRecord } from '../core/record.ts'
import { timeText } from '../core/time-text.ts'
import { table } from './table.ts'

/* Records and acts for people; core/shown.ts has them for programs, and says what is never shown. */

/** `nowMs`: wall time, for the age of doubts. */
export function recordTable(records: readonly KeyRecord[], nowMs: number): string[] {
  return table(['OPERATION', 'STATE', 'CREATED', 'ROUTE', 'ATTEMPTS', 'WHAT'], records.map((record) => [
    record.operationRef, record.state, timeText(record.createdAt), record.route, String(record.attempts), summary(record, nowMs),
  ]))
}

export function auditTable(entries: readonly AuditEntry[]): string[] {
  return table(['AT', 'VERB', 'OPERATION', 'BEFORE', 'BY', 'REASON'], entries.map(({ at, verb, operationRef, before, by, reason }) => [timeText(at), verb, operationRef, before, by, reason]))
}

function summary(record: KeyRecord, nowMs: number): string {
  switch (record.state) {
    case 'accepted': return `waits to be executed since ${timeText(record.accepted?.at ?? record.createdAt)}`
    case 'in_flight': return `lease until ${timeText(record.leaseUntil)}`
    case 'uncertain': return `${record.cause}, in doubt since ${timeText(record.since)} (${ageText(nowMs - record.since)})`
    case 'completed': return record.reply.kind === 'kept' ? `status ${record.reply.reply.status}, ${record.reply.reply.body.length} bytes` : `status ${record.reply.status}, body not kept`
    default: return record satisfies never
  }
}

/** In the largest unit of which there are two: an age is to be compared at a glance. */
function ageText(ms: number): string {
  const [unit, length] = AGES.find(([, candidate]) => ms >= 2 * candidate) ?? ['s', 1000]
  return `${Math.max(0, Math.floor(ms / length))}${unit}`
}

const AGES = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000]] as const
