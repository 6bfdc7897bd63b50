import type { OutboxEvent } from './event.ts'
import { placeText, type LatePlace } from './event-template.ts'
import { firstOf, type Fields } from './headers.ts'
import { isInterchangeable, readJson, type Json } from './json.ts'
import { valueAt } from './json-pointer.ts'
import { jsonText } from './json-text.ts'
import { wordAt, type Draft, type DraftData, type DraftEvent, type DraftText } from './outbox-draft.ts'
import { isMeant } from './outbox-policy.ts'
import type { StoredReply } from './reply.ts'
import { headerValue } from './template.ts'

/*
 * The events of a completion, as CloudEvents 1.0 in structured JSON. Total: a completion never fails for its events. One that
 * cannot be built has a flaw, and as much of its envelope as there is; it is committed as a dead letter.
 */

/** What of a reply there is to build of. `fields` and `body` are null where they were not kept. */
export interface CompletedReply {
  readonly status: number
  readonly fields: Fields | null
  readonly body: Uint8Array | null
}

export interface EventContext {
  readonly service: string
  readonly operationRef: string
  /** milliseconds since the epoch: when it was found out to be completed */
  readonly timeMs: number
}

/** Both Kafka (by default) and SQS take messages of 1 MiB, with what a sink puts around them. */
export const MOST_PAYLOAD_BYTES = 960 * 1024
/** Bytes. A key of Kafka may be of any size; a lane that long is a body that got into the wrong place. */
export const LONGEST_LANE_BYTES = 1024

const NO_EVENTS: readonly OutboxEvent[] = []

export function completedBy(stored: StoredReply): CompletedReply {
  if (stored.kind === 'not-kept') return { status: stored.status, fields: null, body: null }
  const { status, headers, body } = stored.reply
  return { status, fields: headers, body }
}

/** The events of this reply, in the order of their policies. The same draft, reply and context give the same events. */
export function eventsOf(draft: Draft | null, reply: CompletedReply, context: EventContext): readonly OutboxEvent[] {
  if (draft === null) return NO_EVENTS
  const answer = new Answer(reply, context.operationRef)
  return draft.events.flatMap((event, i) => (isMeant(reply.status, event.on) ? [build(event, idOf(context.operationRef, i), draft.traceparent, answer, context)] : []))
}

function idOf(operationRef: string, place: number): string {
  return place === 0 ? `evt_${operationRef}` : `evt_${operationRef}_${place + 1}`
}

/** One attribute of a CloudEvent: its value as JSON. */
export type Member = readonly [name: string, json: string]

function build(event: DraftEvent, id: string, traceparent: string | null, answer: Answer, { service, operationRef, timeMs }: EventContext): OutboxEvent {
  const wished = event.lane === null ? null : answer.text(event.lane, 'lane')
  const lane = wished === null || 'flaw' in wished ? null : wished.text
  const wrongLane = lane === null ? (wished !== null && 'flaw' in wished ? wished.flaw : null) : flawOfLane(lane)
  const data = event.flaw === null ? said(event.data, answer) : []
  const flaw = event.flaw ?? wrongLane ?? ('flaw' in data ? data.flaw : null)
  const { sink, type } = event
  const row = { id, sink, type, lane: lane === null || wrongLane !== null ? operationRef : lane }
  const front: Member[] = [
    ['specversion', '"1.0"'], ['id', JSON.stringify(id)], ['source', JSON.stringify(`urn:onceward:${service}`)], ['type', JSON.stringify(type)],
    ['time', JSON.stringify(new Date(timeMs).toISOString())], ['partitionkey', JSON.stringify(row.lane)],
    ...(traceparent === null ? [] : [['traceparent', JSON.stringify(traceparent)] as const]),
  ]
  if (flaw !== null || 'flaw' in data) return { ...row, payload: eventBytes(front), flaw }
  const payload = eventBytes([...front, ...data])
  if (payload.length <= MOST_PAYLOAD_BYTES) return { ...row, payload, flaw: null }
  return { ...row, payload: eventBytes(front), flaw: tooLarge(payload.length) }
}

export function tooLarge(bytes: number): string {
  return `it would have ${bytes} bytes, and an event has at most ${MOST_PAYLOAD_BYTES}`
}

/** SQS takes neither of the two, in no form but this. They can stand within texts only. */
const NOT_IN_XML = /[\uFFFE\uFFFF]/g

/** A CloudEvent in structured JSON. */
export function eventBytes(members: readonly Member[]): Uint8Array {
  const text = members.map(([name, json]) => `"${name}":${json}`).join(',')
  return Buffer.from(`{${text.replace(NOT_IN_XML, (character) => `\\u${character.charCodeAt(0).toString(16)}`)}}`)
}

/** It is an attribute of a CloudEvent, the key of a record, a column of a table. */
export function flawOfLane(lane: string): string | null {
  if (lane === '') return 'lane: it is empty'
  if (Buffer.byteLength(lane) > LONGEST_LANE_BYTES) return `lane: it is longer than ${LONGEST_LANE_BYTES} bytes`
  return /\p{Cc}/u.test(lane) || !isInterchangeable(lane) ? 'lane: it has control characters, or what is no character' : null
}

type Flawed = { readonly flaw: string }

function said(data: DraftData | null, answer: Answer): readonly Member[] | Flawed {
  if (data === null) return answer.whole()
  const json = filled(data, answer, 'data')
  return typeof json === 'string' ? [['datacontenttype', '"application/json"'], ['data', json]] : json
}

function filled(data: DraftData, answer: Answer, at: string): string | Flawed {
  switch (data.kind) {
    case 'json': return data.json
    case 'place': return answer.json(data.place, at)
    case 'text': {
      const text = answer.text(data.parts, at)
      return 'flaw' in text ? text : JSON.stringify(text.text)
    }
    case 'array': {
      const items: string[] = []
      for (const [i, item] of data.items.entries()) {
        const json = filled(item, answer, `${at}[${i}]`)
        if (typeof json !== 'string') return json
        items.push(json)
      }
      return `[${items.join(',')}]`
    }
    case 'object': {
      const members: string[] = []
      for (const [name, value] of data.members) {
        const json = filled(value, answer, `${at}.${name}`)
        if (typeof json !== 'string') return json
        members.push(`${JSON.stringify(name)}:${json}`)
      }
      return `{${members.join(',')}}`
    }
    default: return data satisfies never
  }
}

/** One reply while events are built of it; its body is read once for all of them. */
class Answer {
  readonly #reply: CompletedReply
  readonly #operationRef: string
  #document: Json | 'none' | null = null

  constructor(reply: CompletedReply, operationRef: string) {
    this.#reply = reply
    this.#operationRef = operationRef
  }

  text(parts: DraftText, at: string): { readonly text: string } | Flawed {
    let text = ''
    for (const part of parts) {
      const value = typeof part === 'string' ? part : this.#word(part, at)
      if (typeof value !== 'string') return value
      text += value
    }
    return { text }
  }

  /** With the type that it has there. */
  json(place: LatePlace, at: string): string | Flawed {
    switch (place.kind) {
      case 'status': return String(this.#reply.status)
      case 'operation': case 'reply-header': {
        const text = this.#word(place, at)
        return typeof text === 'string' ? JSON.stringify(text) : text
      }
      case 'reply': {
        const document = this.#read()
        if (document === 'none') return flawed(at, place, this.#whyNone())
        const value = valueAt(document, place.pointer)
        return value === undefined ? flawed(at, place, 'the reply has nothing there') : jsonText(value)
      }
      default: return place satisfies never
    }
  }

  /** The body itself: JSON as it was written, anything else as its bytes. */
  whole(): readonly Member[] | Flawed {
    const { fields, body } = this.#reply
    if (body === null || fields === null) return { flaw: 'data: the body of the reply was not kept' }
    if (body.length === 0) return []
    if (body.length > MOST_PAYLOAD_BYTES) return { flaw: `data: the body of the reply is larger than ${MOST_PAYLOAD_BYTES} bytes` }
    const type = firstOf(fields, 'content-type')?.trim()
    const front: Member[] = type !== undefined && MEDIA_TYPE.test(type) ? [['datacontenttype', JSON.stringify(type)]] : []
    if ((type === undefined || JSON_TYPE.test(type)) && this.#read() !== 'none') return [...front, ['data', Buffer.from(body).toString('utf8')]]
    const coding = headerValue(fields, 'content-encoding')
    const coded: Member[] = coding === null || coding.toLowerCase() === 'identity' ? [] : [['datacontentencoding', JSON.stringify(coding)]]
    return [...front, ...coded, ['data_base64', JSON.stringify(Buffer.from(body).toString('base64'))]]
  }

  #word(place: LatePlace, at: string): string | Flawed {
    const { status, fields } = this.#reply
    switch (place.kind) {
      case 'operation': return this.#operationRef
      case 'status': return String(status)
      case 'reply-header': return (fields === null ? null : headerValue(fields, place.name)) ?? flawed(at, place, 'the reply has no such header, or not once and in plain ASCII')
      case 'reply': {
        const document = this.#read()
        if (document === 'none') return flawed(at, place, this.#whyNone())
        return wordAt(document, place.pointer) ?? flawed(at, place, 'the reply has no text or integer there')
      }
      default: return place satisfies never
    }
  }

  #read(): Json | 'none' {
    const { fields, body } = this.#reply
    const isCoded = (firstOf(fields ?? [], 'content-encoding') ?? 'identity').toLowerCase() !== 'identity'
    this.#document ??= body === null || isCoded ? 'none' : readJson(body) ?? 'none'
    return this.#document
  }

  #whyNone(): string {
    return this.#reply.body === null ? 'the body of the reply was not kept' : 'the body of the reply is no JSON'
  }
}

const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[\x20-\x7e]+$/
const JSON_TYPE = /^(?:application|text)\/(?:[!#$%&'*.^_`|~0-9A-Za-z-]+\+)?json\s*(?:;|$)/i

function flawed(at: string, place: LatePlace, why: string): Flawed {
  return { flaw: `${at}: ${placeText(place)}: ${why}` }
}
