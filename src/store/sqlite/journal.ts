import { crc32 } from 'node:zlib'
import type { KeyId, KeyRecord } from '../../core/record.ts'
import { columnsOf, Damaged, PROBE_COLUMN, recordOf, type Columns } from './rows.ts'
import type { Ledger } from './ledger.ts'
import type { Statements } from './statements.ts'
import { unpack } from './wire.ts'

/*
 * One row per commit, holding all that the commit changed: whole records, one behind the other. A commit then writes
 * one or two pages at the end of one tree, where each record by itself would have touched a page of every index.
 *
 *     commit --> journal, and YoungRows in memory --(a generation is full)--> key_record, sorted --> trimmed off the journal
 *
 * After a crash the journal is read into the table. A record that was written where it lies in the table has an entry
 * here that says so, because an older entry of it must not be put over it.
 */

/** A record as it stands after the commit, or the id of one that is no longer young: the table knows of it, or nobody does. */
export type JournalEntry = KeyRecord | KeyId

/** How a record stands in the text: its body is null there, and beside it is the length of the one that lies among the bodies. */
type Written = [columns: Columns, bodyBytes: number | null] | KeyId

/** The form of the text; a program that does not know it must not guess. */
const FORM = 1

type Text = [form: typeof FORM, inFlight: number, uncertain: number, completed: number, written: Written[]]

const BODY_COLUMN = 20

/** What the journal says: the last state of every record that it names, and the counts after its last commit. */
export interface Journaled {
  readonly records: Map<KeyId, KeyRecord>
  readonly ledger: Ledger
}

export function writeJournal(sql: Pick<Statements, 'insert-journal'>, { commitNumber, inFlight, uncertain, completed }: Ledger, entries: readonly JournalEntry[]): void {
  const bodies: Uint8Array[] = []
  const written = entries.map((entry): Written => {
    if (typeof entry === 'string') return entry
    const columns = columnsOf(entry)
    const body = columns[BODY_COLUMN]
    if (body === null) return [columns, null]
    columns[BODY_COLUMN] = null
    bodies.push(body)
    return [columns, body.length]
  })
  const text = JSON.stringify([FORM, inFlight, uncertain, completed, written] satisfies Text)
  const packed = bodies.length === 1 && bodies[0] !== undefined ? bodies[0] : Buffer.concat(bodies)
  sql['insert-journal'].run(commitNumber, text, packed, checksumOf(commitNumber, text, packed))
}

/** Reads all of it; throws Damaged where a commit is missing between `ledger` and the last one, or is not what was written. */
export function readJournal(sql: Pick<Statements, 'journal'>, ledger: Ledger): Journaled {
  const records = new Map<KeyId, KeyRecord>()
  let last = ledger
  for (const row of sql.journal.iterate()) {
    const [number, text, bodies] = verified(row)
    if (number !== last.commitNumber + 1) throw new Damaged('the journal has lost a commit')
    const [form, inFlight, uncertain, completed, written] = parsed(text)
    if (form !== FORM) throw new Damaged('the journal has a form that this program does not know')
    last = { commitNumber: number, inFlight, uncertain, completed }
    apply(written, bodies, records)
  }
  return { records, ledger: last }
}

function apply(written: readonly Written[], packed: Uint8Array, records: Map<KeyId, KeyRecord>): void {
  const lengths = written.flatMap((entry) => typeof entry === 'string' || entry[1] === null ? [] : [entry[1]])
  const bodies = unpack(lengths, packed)[Symbol.iterator]()
  for (const entry of written) {
    if (typeof entry === 'string') {
      records.delete(entry)
      continue
    }
    const [columns, bodyBytes] = entry
    if (bodyBytes !== null) columns[BODY_COLUMN] = bodies.next().value ?? null
    columns[PROBE_COLUMN] ??= null // written before there were probes
    records.set(columns[0], recordOf([0, ...columns, 0]))
  }
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
