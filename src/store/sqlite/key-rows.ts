import type { StatementResultingChanges } from 'node:sqlite'
import type { OutboxEvent } from '../../core/event.ts'
import type { AuditEntry, KeyRecord } from '../../core/record.ts'
import { insertAuditRow, readAuditRows } from './audit-rows.ts'
import { checksumOf, columnsOf, Damaged, eventChecksum, FIXED_COLUMNS, recordOf, verify, type Row } from './rows.ts'
import { readKeySpaceRow, writeKeySpaceRow } from './key-space-row.ts'
import { readLedger, readSecret, writeLedger, writeSecret, type Ledger } from './ledger.ts'
import type { StatementName, Statements } from './statements.ts'

/** A record and the row it was read from. */
export interface Found {
  readonly row: Row
  readonly record: KeyRecord
}

/**
 * The rows of the transaction that is open now. Whatever is read is verified; what is not found by its id is looked
 * for once more through another index, so that no single damaged page can make a key look new. Changes are counted
 * into `tally`, which `seal` writes with the commit number that the witness will hold.
 */
export class KeyRows {
  readonly #sql: Statements
  #committed: Ledger
  tally: Ledger
  #changed = false

  constructor(sql: Statements) {
    this.#sql = sql
    this.#committed = readLedger(sql)
    this.tally = { ...this.#committed }
  }

  get commitNumber(): number {
    return this.#committed.commitNumber
  }

  begin(): void {
    this.tally = { ...this.#committed }
    this.#changed = false
    this.#sql.begin.run()
  }

  /** Gives the transaction its number; false when there was nothing to write, and so nothing that the witness must learn. */
  seal(): boolean {
    if (!this.#changed) return false
    this.tally.commitNumber += 1
    writeLedger(this.#sql, this.tally)
    return true
  }

  commit(): void {
    this.#sql.commit.run()
    this.#committed = this.tally
  }

  byIdAndDigest(id: string, keyDigest: string): Found | undefined {
    const found = this.#one('key-by-id', id)
    if (found !== undefined) return found
    if (this.#sql['key-by-digest-and-id'].get(keyDigest, id) !== undefined) throw new Damaged('the index key_by_id has lost a key')
    return undefined
  }

  /** A row that may be written to is in flight or uncertain, so these indexes know it too. */
  forWriteById(id: string): Found | undefined {
    const found = this.#one('key-by-id', id)
    if (found !== undefined) return found
    const known = this.#sql['key-in-flight-by-id'].get(id) ?? this.#sql['key-uncertain-by-id'].get(id)
    if (known !== undefined) throw new Damaged('the index key_by_id has lost a key')
    return undefined
  }

  find(by: 'id' | 'keyDigest' | 'operationRef' | 'state', value: string, limit: number): Found[] {
    switch (by) {
      case 'id': return asList(this.forWriteById(value)).slice(0, limit)
      case 'operationRef': return asList(this.#one('key-by-operation', value)).slice(0, limit)
      case 'keyDigest': return this.#many('keys-by-digest', value, limit)
      case 'state': return this.#many(value === 'uncertain' ? 'keys-uncertain' : 'keys-in-flight', limit)
      default: return by satisfies never
    }
  }

  orphaned(nowMs: number, limit: number): Found[] {
    return this.#many('keys-orphaned', nowMs, limit)
  }

  pastRetention(nowMs: number, limit: number): Found[] {
    return this.#many('keys-past-retention', nowMs, limit)
  }

  put(found: Found | undefined, record: KeyRecord): void {
    const columns = columnsOf(record)
    const checksum = checksumOf(columns, 0)
    if (found !== undefined && found.record.operationRef === record.operationRef) {
      mustChangeOne(this.#sql['update-key'].run(...columns.slice(FIXED_COLUMNS), checksum, found.row[0]))
      this.tally[counted(found.record)] -= 1
    } else {
      // A new operation in the place of one past its retention is a new row: its fixed columns differ.
      if (found !== undefined) this.delete(found)
      this.#sql['insert-key'].run(...columns, checksum)
    }
    this.tally[counted(record)] += 1
    this.#changed = true
  }

  delete(found: Found): void {
    mustChangeOne(this.#sql['delete-key'].run(found.row[0]))
    this.tally[counted(found.record)] -= 1
    this.#changed = true
  }

  insertEvent(event: OutboxEvent, nowMs: number): void {
    this.#sql['insert-event'].run(event.id, event.sink, event.lane, event.type, event.payload, nowMs, eventChecksum(event, nowMs))
    this.#changed = true
  }

  insertAudit(entry: AuditEntry): void {
    insertAuditRow(this.#sql, entry)
    this.#changed = true
  }

  audit(limit: number): AuditEntry[] {
    return readAuditRows(this.#sql, limit)
  }

  secret(candidate: string): string {
    const stored = readSecret(this.#sql)
    if (stored !== undefined) return stored
    writeSecret(this.#sql, candidate)
    this.#changed = true
    return candidate
  }

  keySpace(seen: string | null, next: string): string {
    const standing = readKeySpaceRow(this.#sql)
    if (standing !== null && (standing !== seen || standing === next)) return standing
    if (standing === null && seen !== null) throw new Damaged('the key space that was seen is gone')
    writeKeySpaceRow(this.#sql, seen, next)
    this.#changed = true
    return next
  }

  #one(name: StatementName, value: string): Found | undefined {
    const row = this.#sql[name].get(value)
    return row === undefined ? undefined : foundIn(row)
  }

  #many(name: StatementName, ...values: (string | number)[]): Found[] {
    return this.#sql[name].all(...values).map(foundIn)
  }
}

function foundIn(row: unknown): Found {
  const verified = verify(row)
  return { row: verified, record: recordOf(verified) }
}

/** An index that points to a row which the table does not have is damage, and nothing was written. */
function mustChangeOne({ changes }: StatementResultingChanges): void {
  if (changes !== 1) throw new Damaged('the table key_record has lost a row')
}

function asList(found: Found | undefined): Found[] {
  return found === undefined ? [] : [found]
}

function counted(record: KeyRecord): 'inFlight' | 'uncertain' | 'completed' {
  return record.state === 'in_flight' ? 'inFlight' : record.state
}
