import { crc32 } from 'node:zlib'
import type { AuditEntry } from '../../core/record.ts'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

/** `[...columns, checksum]`, in the order of insert-audit.sql. */
type AuditRow = [at: number, verb: AuditEntry['verb'], id: string, operationRef: string, before: AuditEntry['before'], by: string, reason: string, checksum: number]

const CHECKSUM = 7

export function insertAuditRow(sql: Pick<Statements, 'insert-audit'>, { at, verb, id, operationRef, before, by, reason }: AuditEntry): void {
  const columns = [at, verb, id, operationRef, before, by, reason]
  sql['insert-audit'].run(...columns, checksumOf(columns))
}

/** Newest first. */
export function readAuditRows(sql: Pick<Statements, 'audit'>, limit: number): AuditEntry[] {
  return sql.audit.all(limit).map((row: unknown) => {
    if (!isAuditRow(row) || checksumOf(row.slice(0, CHECKSUM)) !== row[CHECKSUM]) throw new Damaged('the checksum of an audit entry is wrong')
    const [at, verb, id, operationRef, before, by, reason] = row
    return { at, verb, id, operationRef, before, by, reason }
  })
}

function checksumOf(columns: readonly (string | number)[]): number {
  return crc32(JSON.stringify(columns))
}

/** As in rows.ts: the STRICT table, its CHECKs and the checksum vouch for what is in the row. */
function isAuditRow(value: unknown): value is AuditRow {
  return Array.isArray(value) && value.length === CHECKSUM + 1
}
