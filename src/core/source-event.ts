import type { OutboxEvent } from './event.ts'
import { readJson } from './json.ts'
import { isTraceparent } from './outbox-draft.ts'
import { eventBytes, flawOfLane, MOST_PAYLOAD_BYTES, tooLarge, type Member } from './outbox-events.ts'
import type { SourcePayload, SourceRow, SourceSettings } from './source-settings.ts'

/*
 * The event of a row. Total, as with completions: a row that can be none is a dead letter with its cause, so that nothing is skipped and
 * nothing stands still.
 */

export interface SourceContext {
  readonly service: string
  /** of the look, milliseconds since the epoch: for rows that have no time of their own */
  readonly timeMs: number
}

/** Bytes. It is a header of messages, and the deduplication id of a queue. */
const LONGEST_ID_BYTES = 128
const LONGEST_TYPE_BYTES = 256

/** The years 1 to 9999, which RFC 3339 can write. A database has others, and infinity. */
const EARLIEST_MS = -62_135_596_800_000
const LATEST_MS = 253_402_300_799_999

export function sourceEvent(row: SourceRow, { name, sink, type: constant, columns }: Pick<SourceSettings, 'name' | 'sink' | 'type' | 'columns'>, { service, timeMs }: SourceContext): OutboxEvent {
  const own = columns.id === null ? null : row.id
  const wrongId = columns.id !== null && own === null ? 'id: it is null' : own === null ? null : flawOfText('id', own, LONGEST_ID_BYTES)
  const id = `${name}:${own === null || wrongId !== null ? row.order : own}`
  const type = constant ?? row.type
  const wrongType = type === null ? 'type: it is null' : flawOfText('type', type, LONGEST_TYPE_BYTES)
  const wrongLane = columns.lane === null ? null : row.lane === null ? 'lane: it is null' : flawOfLane(row.lane)
  const lane = columns.lane === null || row.lane === null || wrongLane !== null ? id : row.lane
  const data = dataOf(row.payload)
  const isTime = row.time === null || (row.time >= EARLIEST_MS && row.time <= LATEST_MS)
  const flaw = wrongId ?? wrongType ?? wrongLane ?? (isTime ? null : 'time: it is not between the years 1 and 9999') ?? (typeof data === 'string' ? data : null)
  const front: Member[] = [
    ['specversion', '"1.0"'], ['id', JSON.stringify(id)], ['source', JSON.stringify(`urn:onceward:${service}`)], ['type', JSON.stringify(type ?? 'unknown')],
    ['time', JSON.stringify(new Date(isTime ? row.time ?? timeMs : timeMs).toISOString())], ['partitionkey', JSON.stringify(lane)],
    ...(row.traceparent !== null && isTraceparent(row.traceparent) ? [['traceparent', JSON.stringify(row.traceparent)] as const] : []),
  ]
  const event = { id, sink, lane, type: type ?? 'unknown' }
  if (flaw !== null || typeof data === 'string') return { ...event, payload: eventBytes(front), flaw }
  const payload = eventBytes([...front, ...data])
  return payload.length <= MOST_PAYLOAD_BYTES ? { ...event, payload, flaw: null } : { ...event, payload: eventBytes(front), flaw: tooLarge(payload.length) }
}

function flawOfText(what: string, text: string, longest: number): string | null {
  if (text === '') return `${what}: it is empty`
  if (Buffer.byteLength(text) > longest) return `${what}: it is longer than ${longest} bytes`
  return /\p{Cc}/u.test(text) ? `${what}: it has control characters` : null
}

/** What the event says, or why it cannot. */
function dataOf(payload: SourcePayload): Member[] | string {
  switch (payload.kind) {
    case 'none': return []
    case 'json': return [['datacontenttype', '"application/json"'], ['data', payload.text]]
    case 'text': return readJson(Buffer.from(payload.text)) === undefined
      ? [['datacontenttype', '"text/plain"'], ['data', JSON.stringify(payload.text)]]
      : [['datacontenttype', '"application/json"'], ['data', payload.text]]
    case 'bytes': return readJson(payload.bytes) === undefined
      ? [['datacontenttype', '"application/octet-stream"'], ['data_base64', JSON.stringify(Buffer.from(payload.bytes).toString('base64'))]]
      : [['datacontenttype', '"application/json"'], ['data', Buffer.from(payload.bytes).toString('utf8')]]
    case 'too-large': return `payload: ${tooLarge(payload.bytes)}`
    default: return payload satisfies never
  }
}
