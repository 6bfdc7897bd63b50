import type { Act, AuditEntry, KeyRecord } from './record.ts'
import type { Judged } from './transition.ts'

/** The line that an operator's change of a record leaves behind; null where nothing was changed, so that an act repeated stands once. */
export function auditEntry(verb: AuditEntry['verb'], found: KeyRecord | undefined, { change }: Judged<unknown>, act: Act, nowMs: number): AuditEntry | null {
  if (found === undefined || change.kind === 'keep') return null
  return { at: nowMs, verb, id: found.id, operationRef: found.operationRef, before: found.state, by: act.by, reason: act.reason }
}
