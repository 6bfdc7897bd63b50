import type { StatementResultingChanges } from 'node:sqlite'
import { OPERATIONS_SINK } from '../../core/operations.ts'
import type { OutboxAct } from '../../core/outbox.ts'
import type { AuditEntry, KeyId, KeyRecord } from '../../core/record.ts'
import type { Change } from '../../core/transition.ts'
import { insertAuditRow, readAuditRows } from './audit-rows.ts'
import { EventRows } from './event-rows.ts'
import { changeOf, readJournal, whole, writeJournal, type JournalEntry } from './journal.ts'
import { checksumOf, columnsOf, Damaged, hashOf, recordOf, UPDATED_COLUMNS, verify } from './rows.ts'
import { readKeySpaceRow, writeKeySpaceRow } from './key-space-row.ts'
import { readLedger, readSecret, writeLedger, writeSecret, type Ledger } from './ledger.ts'
import { insertOutboxAct, readOutboxActs } from './outbox-audit-rows.ts'
import { SinkLeases } from './sink-leases.ts'
import { ShadowRows } from './shadow-rows.ts'
import { SourcePositions } from './source-positions.ts'
import type { StatementName, Statements } from './statements.ts'
import { YoungRows } from './young-rows.ts'

/** A record, and the row of the table that holds it; null for one that is young. */
export interface Found {
  readonly row: number | null
  readonly record: KeyRecord
}

/**
 * The rows of the transaction that is open now. New records are young: they are in the journal and in memory, and
 * folding.ts moves them to the table. Whatever is read from the table is verified; what is not found by its id is looked
 * for once more through another index, so that no single damaged page can make a key look new. Changes are counted into
 * `tally`, which `seal` writes with the commit number that the witness will hold.
 */
export class KeyRows {
  readonly young = new YoungRows()
  readonly events: EventRows
  readonly leases: SinkLeases
  readonly positions: SourcePositions
  readonly shadows: ShadowRows
  readonly #sql: Statements
  #committed: Ledger
  tally: Ledger
  #entries: JournalEntry[] = []
  #carried: KeyRecord[] = []
  #changed = false
  #trimmedUpTo: number
  /** young ones that a crash has left in the journal: the table may have an older state of them */
  readonly #recovered = new Set<KeyId>()

  /** Takes up what a crash has left in the journal; writes nothing, since the disk may be full. */
  constructor(sql: Statements) {
    this.#sql = sql
    const changed = (): void => { this.#changed = true }
    this.events = new EventRows(sql, changed)
    this.leases = new SinkLeases(sql, changed)
    this.positions = new SourcePositions(sql, changed)
    this.shadows = new ShadowRows(sql)
    const trimmed = readLedger(sql)
    const { records, ledger } = readJournal(sql, trimmed)
    this.#committed = ledger
    this.tally = { ...ledger }
    this.#trimmedUpTo = trimmed.commitNumber
    for (const record of records.values()) {
      this.young.rejuvenate(record)
      this.#recovered.add(record.id)
    }
  }

  get commitNumber(): number {
    return this.#committed.commitNumber
  }

  begin(): void {
    this.tally = { ...this.#committed }
    this.#entries = []
    this.#changed = false
    this.#sql.begin.run()
  }

  /** Gives the transaction its number; false when there was nothing to write, and so nothing that the witness must learn. */
  seal(): boolean {
    if (!this.#changed) return false
    this.tally.commitNumber += 1
    writeJournal(this.#sql, this.tally, this.#carried.length === 0 ? this.#entries : [...this.#carried.map(whole), ...this.#entries])
    return true
  }

  commit(): void {
    this.#sql.commit.run()
    this.#committed = this.tally
    this.young.keep()
    this.leases.keep()
    if (this.#changed) this.#carried = []
  }

  byId(id: KeyId): Found | undefined {
    return this.#youngOne(id) ?? this.#stored(id)
  }

  /** A row that may be written to is in flight or uncertain, so these indexes know it too. */
  forWriteById(id: KeyId): Found | undefined {
    const found = this.#youngOne(id) ?? this.#storedOne(id)
    if (found !== undefined) return found
    const known = this.#sql['key-in-flight-by-id'].get(id) ?? this.#sql['key-uncertain-by-id'].get(id)
    if (known !== undefined) throw new Damaged('the index key_by_id has lost a key')
    return undefined
  }

  find(by: 'id' | 'keyDigest' | 'operationRef' | 'state', value: string, limit: number): Found[] {
    switch (by) {
      case 'id': return asList(this.forWriteById(value)).slice(0, limit)
      case 'operationRef': return this.#many((record) => record.operationRef === value, 'key-by-operation', limit, value)
      case 'keyDigest': return this.#many((record) => record.keyDigest === value, 'keys-by-digest', limit, hashOf(value), value, limit)
      case 'state': return value === 'accepted' ? this.#waiting(limit) : this.#many((record) => record.state === value, value === 'uncertain' ? 'keys-uncertain' : 'keys-in-flight', limit, limit)
      default: return by satisfies never
    }
  }

  toProbe(limit: number): Found[] {
    return this.#many((record) => record.state === 'uncertain' && record.probe !== null, 'keys-to-probe', limit, limit)
  }

  orphaned(nowMs: number, limit: number): Found[] {
    return this.#many((record) => record.state === 'in_flight' && record.leaseUntil <= nowMs, 'keys-orphaned', limit, nowMs, limit)
  }

  pastRetention(nowMs: number, limit: number): Found[] {
    return this.#many((record) => record.state === 'completed' && record.retainUntil <= nowMs, 'keys-past-retention', limit, nowMs, limit)
  }

  apply(found: Found | undefined, change: Change): void {
    switch (change.kind) {
      case 'keep': return
      case 'put': return this.put(found, change.record)
      case 'delete': return found === undefined ? undefined : this.delete(found)
      default: return change satisfies never
    }
  }

  put(found: Found | undefined, record: KeyRecord): void {
    if (found !== undefined) this.#count(found.record, -1)
    this.#count(record, 1)
    this.#changed = true
    if (found === undefined || found.row === null) {
      this.#entries.push(this.young.isInYounger(record.id) ? changeOf(found?.record, record) : whole(record))
      this.young.put(record)
    } else {
      this.#write(found, record)
      this.#entries.push({ kind: 'elsewhere', id: record.id })
    }
  }

  delete(found: Found): void {
    this.#count(found.record, -1)
    this.#changed = true
    this.#entries.push({ kind: 'elsewhere', id: found.record.id })
    if (found.row === null) {
      this.young.delete(found.record.id)
      found = this.#olderState(found.record) ?? found
    }
    if (found.row !== null) mustChangeOne(this.#sql['delete-key'].run(found.row))
  }

  /** Moves a young record to the table: changes nothing that anybody could see. */
  insert(record: KeyRecord): void {
    this.#write(this.#olderState(record), record)
  }

  /** The transaction that inserted them has committed. */
  settled(ids: readonly KeyId[]): void {
    this.young.settle(ids)
    if (this.#recovered.size > 0) for (const id of ids) this.#recovered.delete(id)
  }

  /** Keeps a record young; it is written down again with the next commit that has anything to write. */
  carry(record: KeyRecord): void {
    this.young.rejuvenate(record)
    this.#carried.push(record)
  }

  get carries(): boolean {
    return this.#carried.length > 0
  }

  /** Forgets the journal up to this commit: all that it says is in the table. */
  trim(upTo: number): void {
    this.#sql['trim-journal'].run(upTo)
    writeLedger(this.#sql, { ...this.#committed, commitNumber: upTo })
  }

  /** The transaction that trimmed has committed. */
  trimmed(upTo: number): void {
    this.#trimmedUpTo = upTo
  }

  get trimmedUpTo(): number {
    return this.#trimmedUpTo
  }

  /** What was done to memory since the last commit. */
  rollBack(): void {
    this.young.rollBack()
    this.leases.rollBack()
  }

  insertAudit(entry: AuditEntry): void {
    insertAuditRow(this.#sql, entry)
    this.#changed = true
  }

  audit(limit: number): AuditEntry[] {
    return readAuditRows(this.#sql, limit)
  }

  insertOutboxAct(act: OutboxAct): void {
    insertOutboxAct(this.#sql, act)
    this.#changed = true
  }

  outboxActs(limit: number): OutboxAct[] {
    return readOutboxActs(this.#sql, limit)
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

  /** A new operation in the place of one past its retention is a new row: its fixed columns differ. So is an accepted one that begins. */
  #write(found: Found | undefined, record: KeyRecord): void {
    if (found === undefined || !isUpdate(found.record, record)) {
      if (found !== undefined) mustChangeOne(this.#sql['delete-key'].run(found.row))
      const columns = columnsOf(record)
      this.#sql['insert-key'].run(...columns, checksumOf(columns, 0), hashOf(record.id), hashOf(record.keyDigest))
      return
    }
    const columns = columnsOf(record)
    mustChangeOne(this.#sql['update-key'].run(...columns.slice(...UPDATED_COLUMNS), checksumOf(columns, 0), found.row))
  }

  /** What is accepted and waits is in no index: its events are. */
  #waiting(limit: number): Found[] {
    const found: Found[] = []
    for (const operationRef of this.events.idsOf(OPERATIONS_SINK)) {
      if (found.length >= limit) return found
      const [one] = this.find('operationRef', operationRef, 1)
      if (one?.record.state === 'accepted') found.push(one)
    }
    return found
  }

  #count(record: KeyRecord, by: 1 | -1): void {
    const name = counted(record)
    if (name !== null) this.tally[name] += by
  }

  #youngOne(id: KeyId): Found | undefined {
    const record = this.young.get(id)
    return record === undefined ? undefined : { row: null, record }
  }

  /** Nearly every key is new, and one statement says so faster than two that would return rows. */
  #stored(id: KeyId): Found | undefined {
    if (!isKnown(this.#sql['key-known'].get(hashOf(id)))) return undefined
    const found = this.#storedOne(id)
    if (found !== undefined) return found
    if (this.#among('keys-by-id-again', id) !== undefined) throw new Damaged('the index key_by_id has lost a key')
    return undefined
  }

  #storedOne(id: KeyId): Found | undefined {
    return this.#among('keys-by-id', id)
  }

  /** What the table has of a young record, which is only possible after a crash. */
  #olderState(record: KeyRecord): Found | undefined {
    return this.#recovered.has(record.id) ? this.#stored(record.id) : undefined
  }

  /** Each row is verified before its id is compared: a damaged id is no other id. */
  #among(name: StatementName, id: KeyId): Found | undefined {
    const hash = hashOf(id)
    const row = this.#sql[name].get(hash)
    if (row === undefined) return undefined
    const first = foundIn(row)
    if (first.record.id === id) return first
    return this.#sql[name].all(hash).map(foundIn).find((found) => found.record.id === id)
  }

  /** Those of the table first: they are the older ones. */
  #many(isWanted: (record: KeyRecord) => boolean, name: StatementName, limit: number, ...values: (string | number)[]): Found[] {
    const rows = this.#sql[name].all(...values).map(foundIn)
    const stored = this.#recovered.size === 0 ? rows : rows.filter(({ record }) => this.young.get(record.id) === undefined)
    if (stored.length >= limit) return stored
    const young = this.young.where(isWanted).map((record) => ({ row: null, record }))
    return [...stored, ...young].slice(0, limit)
  }
}

function isKnown(row: unknown): boolean {
  return !Array.isArray(row) || row[0] !== 0
}

function foundIn(row: unknown): Found {
  const verified = verify(row)
  return { row: verified[0], record: recordOf(verified) }
}

/** An index that points to a row which the table does not have is damage, and nothing was written. */
function mustChangeOne({ changes }: StatementResultingChanges): void {
  if (changes !== 1) throw new Damaged('the table key_record has lost a row')
}

function asList(found: Found | undefined): Found[] {
  return found === undefined ? [] : [found]
}

function counted({ state }: KeyRecord): 'inFlight' | 'uncertain' | 'completed' | null {
  switch (state) {
    case 'in_flight': return 'inFlight'
    case 'uncertain': case 'completed': return state
    case 'accepted': return null
    default: return state satisfies never
  }
}

/** Whether update-key.sql names all that differs. */
function isUpdate(before: KeyRecord, after: KeyRecord): boolean {
  return before.operationRef === after.operationRef && before.createdAt === after.createdAt && (before.accepted === null) === (after.accepted === null)
}
