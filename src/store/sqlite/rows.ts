import { crc32 } from 'node:zlib'
import type { Fields } from '../../core/headers.ts'
import type { StoredReply } from '../../core/reply.ts'
import type { DoubtCause, KeyRecord } from '../../core/record.ts'

/*
 * Between a record and its columns. Rows are plain arrays in the order of insert-key.sql: they cross the threads and
 * SQLite's interface at a fraction of what objects with 22 fields cost.
 *
 * Every row ends in a CRC-32 over all its other columns. SQLite has no checksums of its own pages, so without it a
 * flipped bit on the disk would come back as somebody's reply.
 */

/** `[...columns, checksum]` as written; as read, the row's number stands in front. */
export type Columns = [
  id: string, keyDigest: string, operationRef: string, fingerprint: string, spec: string, parts: string, route: string, createdAt: number,
  holder: string, fence: number, retainUntil: number, attempts: number, state: string,
  leaseUntil: number | null, completedAt: number | null, since: number | null, cause: DoubtCause | null,
  status: number | null, headers: string | null, trailers: string | null, body: Uint8Array | null, probe: string | null, outbox: string | null,
  acceptedAt: number | null, owner: string | null,
]
export type Row = [row: number, ...columns: Columns, checksum: number]

/** Where a row has its body, and its checksum. */
export const BODY = 21
/** Among the columns: the last ones, which came with later schemas than the others. */
export const PROBE_COLUMN = 21
export const OUTBOX_COLUMN = 22
export const ACCEPTED_COLUMN = 23
export const OWNER_COLUMN = 24
const CHECKSUM = 26

/** Those that update-key.sql names: a transition that changes any other one is written as a new row. */
export const UPDATED_COLUMNS = [8, ACCEPTED_COLUMN] as const

/** A row, or an index over it, that is not what was written. Never answered from. */
export class Damaged extends Error {}

export function columnsOf(record: KeyRecord): Columns {
  const columns: Columns = [
    record.id, record.keyDigest, record.operationRef, record.fingerprint, record.spec, record.parts, record.route, record.createdAt,
    record.holder, record.fence, record.retainUntil, record.attempts, record.state,
    null, null, null, null, null, null, null, null, record.probe, record.outbox, null, null,
  ]
  if (record.accepted !== null) {
    columns[ACCEPTED_COLUMN] = record.accepted.at
    columns[OWNER_COLUMN] = record.accepted.owner
  }
  switch (record.state) {
    case 'accepted': break
    case 'in_flight': columns[13] = record.leaseUntil; break
    case 'uncertain': columns[15] = record.since; columns[16] = record.cause; break
    case 'completed': columns[14] = record.completedAt; putReply(columns, record.reply); break
    default: record satisfies never
  }
  return columns
}

/** Throws Damaged where the columns do not fit the state; the table's CHECKs forbid that, and a checksum does not say what was meant. */
export function recordOf(row: Row): KeyRecord {
  const [
    , id, keyDigest, operationRef, fingerprint, spec, parts, route, createdAt, holder, fence, retainUntil, attempts, state,
    leaseUntil, completedAt, since, cause, status, headers, trailers, body, probe, outbox, acceptedAt, owner,
  ] = row
  const accepted = acceptedAt === null || owner === null ? null : { at: acceptedAt, owner }
  const common = { id, keyDigest, operationRef, fingerprint, spec, parts, route, createdAt, holder, fence, retainUntil, attempts, probe, outbox, accepted }
  if (state === 'accepted' && accepted !== null) return { ...common, state }
  if (state === 'in_flight' && leaseUntil !== null) return { ...common, state, leaseUntil }
  if (state === 'uncertain' && since !== null && cause !== null) return { ...common, state, since, cause }
  if (state === 'completed' && completedAt !== null && status !== null) {
    return { ...common, state, completedAt, reply: replyOf(status, headers, trailers, body) }
  }
  throw new Damaged('the columns of a key record do not fit its state')
}

/**
 * A reply as the worker has it: its fields are sealed, which means that each list holds one string, the JSON text of
 * the column. The worker only carries replies from column to wire and back, so only the main thread ever opens them.
 */
export function replyOf(status: number, headers: string | null, trailers: string | null, body: Uint8Array | null): StoredReply {
  if (headers === null || trailers === null || body === null) return { kind: 'not-kept', status }
  return { kind: 'kept', reply: { status, headers: [headers], body, trailers: [trailers] } }
}

export function sealFields(fields: Fields): string {
  return JSON.stringify(fields)
}

/** The one string that sealed fields hold. */
export function sealedText(sealed: Fields): string {
  const [text] = sealed
  if (text === undefined || sealed.length !== 1) throw new Damaged('the fields of a reply are not sealed')
  return text
}

export function openReply(sealed: StoredReply): StoredReply {
  if (sealed.kind === 'not-kept') return sealed
  const { status, headers, body, trailers } = sealed.reply
  return { kind: 'kept', reply: { status, headers: openFields(headers), body, trailers: openFields(trailers) } }
}

/** What the indexes hold of an id and of a key digest: 4 bytes instead of the text. Two texts may share one. */
export function hashOf(text: string): number {
  return crc32(text)
}

/** Throws Damaged unless the row is the one that was written. */
export function verify(row: unknown): Row {
  if (!isRow(row) || checksumOf(row, 1) !== row[CHECKSUM]) throw new Damaged('the checksum of a key record is wrong')
  return row
}

/**
 * Of the columns from `from` on. Null and an empty body differ by the body's length: CRC-32 over nothing changes nothing. Of the
 * columns that came later than the others those that are null at the end are not in it, so that rows from before there were any
 * have the checksum that they had; where one is not null all before it are, so that none can pass for another.
 */
export function checksumOf(values: readonly (string | number | Uint8Array | null)[], from: number): number {
  let text = ''
  let body: Uint8Array | undefined
  let last = from + OWNER_COLUMN
  while (last >= from + PROBE_COLUMN && (values[last] ?? null) === null) last -= 1
  for (let i = from; i <= last; i += 1) {
    const value = values[i]
    if (value instanceof Uint8Array) {
      body = value
      text += `${value.length}\n`
    } else {
      text += `${value}\n`
    }
  }
  const head = crc32(text)
  return body === undefined ? head : crc32(body, head)
}

function putReply(columns: Columns, stored: StoredReply): void {
  if (stored.kind === 'not-kept') {
    columns[17] = stored.status
    return
  }
  columns[17] = stored.reply.status
  columns[18] = sealedText(stored.reply.headers)
  columns[19] = sealedText(stored.reply.trailers)
  columns[20] = stored.reply.body
}

function openFields(sealed: Fields): Fields {
  const fields: unknown = JSON.parse(sealedText(sealed))
  if (!isFields(fields)) throw new Damaged('the fields of a stored reply are not a list of strings')
  return fields
}

function isFields(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** Statements return arrays (statements.ts), which node's types cannot say; STRICT tables and the checksum vouch for what is in them. */
function isRow(value: unknown): value is Row {
  return Array.isArray(value) && value.length === CHECKSUM + 1
}
