import { createHash } from 'node:crypto'
import type { Outgoing } from '../core/delivery.ts'

/** SQS: of one message, and of all messages of a call together. */
export const MOST_BYTES = 1_048_576

/** Reserved for each event's attributes: their names, types and values count, a relay counts payloads. */
export const ATTRIBUTES_BYTES = 1024

/** An event as one entry of SendMessageBatch. */
export interface Entry {
  /** of the entry, in its call */
  readonly Id: string
  readonly MessageBody: string
  readonly MessageGroupId: string
  readonly MessageDeduplicationId: string
  readonly MessageAttributes: Record<string, { DataType: 'String', StringValue: string }>
}

export type Made =
  | { readonly kind: 'made', readonly entry: Entry, readonly bytes: number }
  | { readonly kind: 'refused', readonly reason: string }

/** `ignoreBOM`: a mark at the beginning is part of the text. */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What XML 1.0 cannot carry, and so SQS does not take. */
const NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u

export function entryOf(event: Outgoing, at: number): Made {
  const text = decoded(event.payload)
  if (text === undefined) return { kind: 'refused', reason: 'its content is no text in UTF-8' }
  if (NO_XML.test(text)) return { kind: 'refused', reason: 'its content has a character that SQS does not take' }
  const attributes = attributesOf(event, text)
  const bytes = event.payload.length + Object.entries(attributes).reduce((sum, [name, value]) => sum + name.length + 'String'.length + Buffer.byteLength(value), 0)
  if (bytes > MOST_BYTES) return { kind: 'refused', reason: `it has ${bytes} bytes, SQS takes ${MOST_BYTES}` }
  const entry: Entry = {
    Id: String(at), MessageBody: text, MessageGroupId: legalName(event.lane), MessageDeduplicationId: legalName(event.id),
    MessageAttributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }])),
  }
  return { kind: 'made', entry, bytes }
}

const HASHED = 'sha256:'
/** All that SQS allows: visible ASCII. */
const LEGAL = /^[\x21-\x7e]{1,128}$/

/**
 * The name of a lane or an event as SQS can have it: itself, or a hash of it. A name that looks like a hash is hashed too, so
 * that no two lanes become one.
 */
export function legalName(name: string): string {
  if (LEGAL.test(name) && !name.startsWith(HASHED)) return name
  return `${HASHED}${createHash('sha256').update(name).digest('base64url')}`
}

/** An attribute that SQS would not take is left out: what it says stands in the event too. */
function attributesOf({ id, type }: Outgoing, text: string): Record<string, string> {
  const attributes: Record<string, string> = { 'content-type': 'application/cloudevents+json' }
  const wanted = { ce_id: id, ce_type: type, traceparent: traceparentIn(text) ?? '' }
  for (const [name, value] of Object.entries(wanted)) {
    if (value !== '' && value.length <= 256 && !NO_XML.test(value)) attributes[name] = value
  }
  return attributes
}

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

function traceparentIn(text: string): string | undefined {
  if (!text.includes('"traceparent"')) return undefined
  const event = parsed(text)
  const value = typeof event === 'object' && event !== null && 'traceparent' in event ? event.traceparent : undefined
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes)
  } catch {
    return undefined
  }
}
