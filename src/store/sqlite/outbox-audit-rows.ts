import { crc32 } from 'node:zlib'
import type { OutboxAct } from '../../core/outbox.ts'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

/** `[...columns, checksum]`, in the order of insert-outbox-act.sql. */
type ActRow = [at: number, verb: OutboxAct['verb'], event: string, sink: string, lane: string, type: string, cause: string, by: string, reason: string, checksum: number]

const CHECKSUM = 9

export function insertOutboxAct(sql: Pick<Statements, 'insert-outbox-act'>, { at, verb, event, sink, lane, type, cause, by, reason }: OutboxAct): void {
  const columns = [at, verb, event, sink, lane, type, cause, by, reason]
  sql['insert-outbox-act'].run(...columns, checksumOf(columns))
}

/** Newest first. */
export function readOutboxActs(sql: Pick<Statements, 'outbox-audit'>, limit: number): OutboxAct[] {
  return sql['outbox-audit'].all(limit).map((row: unknown) => {
    if (!isActRow(row) || checksumOf(row.slice(0, CHECKSUM)) !== row[CHECKSUM]) throw new Damaged('the checksum of an entry of the outbox\'s audit is wrong')
    const [at, verb, event, sink, lane, type, cause, by, reason] = row
    return { at, verb, event, sink, lane, type, cause, by, reason }
  })
}

function checksumOf(columns: readonly (string | number)[]): number {
  return crc32(JSON.stringify(columns))
}

/** As in rows.ts: the STRICT table, its CHECKs and the checksum vouch for what is in the row. */
function isActRow(value: unknown): value is ActRow {
  return Array.isArray(value) && value.length === CHECKSUM + 1
}
