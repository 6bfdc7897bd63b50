import type { Page } from '../core/source.ts'
import { SourceTrouble } from '../core/source-ports.ts'
import type { SourcePayload, SourceRow } from '../core/source-settings.ts'

type Row = readonly (string | null)[]

/** The rows of look.ts: what they are in front, then the columns of a row or of the snapshot. `batch`: how many were asked for at most. */
export function pageOf(found: readonly Row[], batch: number): Page<SourceRow> {
  const snapshot = found.find(([what]) => what === 'snapshot')
  if (snapshot === undefined) throw new SourceTrouble('the server did not say which transactions run')
  const above = found.filter(([what]) => what === 'above')
  const late = found.filter(([what]) => what === 'late')
  const cut = (rows: readonly Row[]): boolean => Number(rows[0]?.[10] ?? 0) > rows.length || rows.length >= batch
  const [, xmin, next, at, newest = null] = snapshot
  return {
    rows: inOrder(above), late: inOrder(late), isCut: { above: cut(above), late: cut(late) },
    xmin: BigInt(xmin ?? 0), next: BigInt(next ?? 0), newest: newest === null ? null : BigInt(newest), at: Number(at),
  }
}

function inOrder(rows: readonly Row[]): SourceRow[] {
  return rows.map(rowOf).toSorted((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
}

function rowOf([, order, id = null, lane = null, type = null, time = null, traceparent = null, kind, bytes = null, payload = null]: Row): SourceRow {
  return { order: BigInt(order ?? 0), id, lane, type, time: time === null ? null : Number(time), traceparent, payload: payloadOf(kind ?? 'text', bytes, payload) }
}

function payloadOf(kind: string, bytes: string | null, payload: string | null): SourcePayload {
  if (bytes === null) return { kind: 'none' }
  if (payload === null) return { kind: 'too-large', bytes: Number(bytes) }
  if (kind === 'bytes') return { kind: 'bytes', bytes: Buffer.from(payload, 'base64') }
  return kind === 'json' ? { kind: 'json', text: payload } : { kind: 'text', text: payload }
}
