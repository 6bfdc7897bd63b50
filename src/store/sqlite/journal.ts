import { crc32 } from 'node:zlib'
import type { KeyId, KeyRecord } from '../../core/record.ts'
import type { StoredReply } from '../../core/reply.ts'
import { ACCEPTED_COLUMN, columnsOf, Damaged, OUTBOX_COLUMN, OWNER_COLUMN, PROBE_COLUMN, recordOf, replyOf, sealedText, type Columns } from './rows.ts'
import type { Ledger } from './ledger.ts'
import type { Statements } from './statements.ts'

/*
 * One row per commit, holding all that the commit changed: one record behind the other. A commit then writes one or two
 * pages at the end of one tree, where each record by itself would have touched a page of every index.
 *
 *     commit --> journal, and YoungRows in memory --(a generation is full)--> key_record, sorted --> trimmed off the journal
 *
 * After a crash the journal is read into the table. A record that was written where it lies in the table has an entry
 * here that says so, because an older entry of it must not be put over it. A completion is written without what its claim
 * has said, if both belong to one generation: they are trimmed off together, or else the record is in the table.
 */

export type JournalEntry =
  /** as it stands after the commit */
  | { readonly kind: 'whole', readonly record: KeyRecord }
  /** what of a record in flight has changed */
  | { readonly kind: 'completed', readonly record: CompletedRecord }
  /** no longer young: the table knows of it, or nobody does */
  | { readonly kind: 'elsewhere', readonly id: KeyId }

type CompletedRecord = KeyRecord & { readonly state: 'completed' }

export function whole(record: KeyRecord): JournalEntry {
  return { kind: 'whole', record }
}

/** The entry for a record of which the journal has the state `before`. An accepted one is kept from its completion on: its retention changes, too. */
export function changeOf(before: KeyRecord | undefined, record: KeyRecord): JournalEntry {
  return before?.state === 'in_flight' && record.state === 'completed' && record.accepted === null ? { kind: 'completed', record } : whole(record)
}

/** How an entry stands in the text: a body is null there, and beside it is the length of the one that lies among the bodies. */
type Written =
  | [columns: Columns, bodyBytes: number | null]
  | [id: KeyId, attempts: number, completedAt: number, status: number, headers: string | null, trailers: string | null, bodyBytes: number | null]
  | KeyId

/** The form of the text; a program that does not know it must not guess. Form 1 had no completions by themselves. */
const FORM = 2
const FORMS: ReadonlySet<number> = new Set([1, FORM])

type Text = [form: number, inFlight: number, uncertain: number, completed: number, written: Written[]]

const BODY_COLUMN = 20

/** What the journal says: the last state of every record that it names, and the counts after its last commit. */
export interface Journaled {
  readonly records: Map<KeyId, KeyRecord>
  readonly ledger: Ledger
}

export function writeJournal(sql: Pick<Statements, 'insert-journal'>, { commitNumber, inFlight, uncertain, completed }: Ledger, entries: readonly JournalEntry[]): void {
  const bodies: Uint8Array[] = []
  const written = entries.map((entry) => writtenAs(entry, bodies))
  const text = JSON.stringify([FORM, inFlight, uncertain, completed, written] satisfies Text)
  const packed = bodies.length === 1 && bodies[0] !== undefined ? bodies[0] : Buffer.concat(bodies)
  sql['insert-journal'].run(commitNumber, text, packed, checksumOf(commitNumber, text, packed))
}

function writtenAs(entry: JournalEntry, bodies: Uint8Array[]): Written {
  switch (entry.kind) {
    case 'elsewhere': return entry.id
    case 'completed': {
      const { id, attempts, completedAt, reply } = entry.record
      if (reply.kind === 'not-kept') return [id, attempts, completedAt, reply.status, null, null, null]
      const { status, headers, trailers, body } = reply.reply
      bodies.push(body)
      return [id, attempts, completedAt, status, sealedText(headers), sealedText(trailers), body.length]
    }
    case 'whole': {
      const columns = columnsOf(entry.record)
      const body = columns[BODY_COLUMN]
      if (body === null) return [columns, null]
      columns[BODY_COLUMN] = null
      bodies.push(body)
      return [columns, body.length]
    }
    default: return entry satisfies never
  }
}

/** Reads all of it; throws Damaged where a commit is missing between `ledger` and the last one, or is not what was written. */
export function readJournal(sql: Pick<Statements, 'journal'>, ledger: Ledger): Journaled {
  const records = new Map<KeyId, KeyRecord>()
  let last = ledger
  for (const row of sql.journal.iterate()) {
    const [number, text, bodies] = verified(row)
    if (number !== last.commitNumber + 1) throw new Damaged('the journal has lost a commit')
    const [form, inFlight, uncertain, completed, written] = parsed(text)
    if (!FORMS.has(form)) throw new Damaged('the journal has a form that this program does not know')
    last = { commitNumber: number, inFlight, uncertain, completed }
    apply(written, bodies, records)
  }
  return { records, ledger: last }
}

function apply(written: readonly Written[], packed: Uint8Array, records: Map<KeyId, KeyRecord>): void {
  let offset = 0
  const bodyOf = (bytes: number | null): Uint8Array | null => bytes === null ? null : packed.subarray(offset, offset += bytes)
  for (const entry of written) {
    if (typeof entry === 'string') {
      records.delete(entry)
    } else if (entry.length === 2) {
      const [columns, bodyBytes] = entry
      columns[BODY_COLUMN] = bodyOf(bodyBytes)
      columns[PROBE_COLUMN] ??= null // written before there were probes
      columns[OUTBOX_COLUMN] ??= null // nor was there an outbox
      columns[ACCEPTED_COLUMN] ??= null // nor was anything accepted
      columns[OWNER_COLUMN] ??= null
      records.set(columns[0], recordOf([0, ...columns, 0]))
    } else {
      const [id, attempts, completedAt, status, headers, trailers, bodyBytes] = entry
      const reply = replyOf(status, headers, trailers, bodyOf(bodyBytes))
      const before = records.get(id)
      // Without its claim, which was trimmed off: then the table has what this says, or what a later entry says.
      if (before !== undefined) records.set(id, completedFrom(before, attempts, completedAt, reply))
    }
  }
}

function completedFrom(before: KeyRecord, attempts: number, completedAt: number, reply: StoredReply): KeyRecord {
  if (before.state !== 'in_flight') throw new Damaged('the journal has a completion of a record that was not in flight')
  const { leaseUntil: _, ...rest } = before
  return { ...rest, state: 'completed', attempts, completedAt, reply, probe: null, outbox: null }
}

function verified(row: unknown): [number: number, text: string, bodies: Uint8Array] {
  const [number, text, bodies, checksum]: unknown[] = Array.isArray(row) ? row : []
  if (typeof number !== 'number' || typeof text !== 'string' || !(bodies instanceof Uint8Array) || checksumOf(number, text, bodies) !== checksum) {
    throw new Damaged('the checksum of a commit in the journal is wrong')
  }
  return [number, text, bodies]
}

/** The checksum vouches that it is a text which `writeJournal` made. */
function parsed(text: string): Text
function parsed(text: string): unknown {
  return JSON.parse(text)
}

function checksumOf(number: number, text: string, bodies: Uint8Array): number {
  return crc32(bodies, crc32(text, number % 0x1_0000_0000))
}
