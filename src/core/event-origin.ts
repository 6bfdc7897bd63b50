import { readTraceparent } from './traceparent.ts'
import type { SpanPlace } from './tracing.ts'

/** What else goes through the outbox (stored requests) holds bytes of clients. */
const ENVELOPE = Buffer.from('{"specversion":')
const MEMBER = Buffer.from(',"traceparent":"')
const DATA = Buffer.from(',"data')
/** `vv-`, a trace id, `-`, a span id, `-ff` */
const TRACEPARENT_BYTES = 55
/** Where the attributes of an envelope of ours end at the latest: a lane of 1024 bytes may be six times as long in JSON. */
const ENVELOPE_BYTES = 16 * 1024

/**
 * Where an event is from, by the distributed tracing extension of CloudEvents; null if its envelope does not say. Envelopes are ours
 * (outbox-events.ts, source-event.ts): the attributes stand in front of the data, so that nothing of it has to be read. Within a text of
 * JSON no quotation mark stands without a backslash, so what is found is a member.
 */
export function originOf(payload: Uint8Array): SpanPlace | null {
  const front = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.byteLength, ENVELOPE_BYTES))
  if (front.indexOf(ENVELOPE) !== 0) return null
  const at = front.indexOf(MEMBER)
  if (at === -1) return null
  const data = front.indexOf(DATA)
  if (data !== -1 && data < at) return null
  const from = at + MEMBER.length
  const read = readTraceparent(front.toString('latin1', from, from + TRACEPARENT_BYTES))
  return read === null ? null : { traceId: read.traceId, spanId: read.parentId, sampled: read.sampled }
}

/** For a log line. */
export function originIds(payload: Uint8Array): { readonly trace_id?: string, readonly span_id?: string } {
  const origin = originOf(payload)
  return origin === null ? {} : { trace_id: origin.traceId, span_id: origin.spanId }
}
