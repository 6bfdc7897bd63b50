import { placeText, type EventPart, type EventTemplate, type LatePlace } from './event-template.ts'
import { valuesOf, type Fields } from './headers.ts'
import { readJson, type Json } from './json.ts'
import { valueAt } from './json-pointer.ts'
import { jsonText } from './json-text.ts'
import type { DataTemplate, OutboxPolicy, ReplyMatch } from './outbox-policy.ts'
import { headerValue } from './template.ts'

/*
 * What a request gives to its events. It is written down with the claim, because who completes the key may be another
 * process, or an operator, that never saw the request:
 *
 *     policies + request --renderDraft--> text, stored with the claim --readDraft--> + reply --eventsOf--> events
 *
 * What the request lacks is a flaw of its event: the request runs all the same, and its completion commits a dead letter.
 */

export interface Draft {
  readonly v: typeof VERSION
  /** of the request: our own span's where it has one, else what its client sent, if that was valid */
  readonly traceparent: string | null
  /** of all policies of the route, in order: their place is part of the event's id */
  readonly events: readonly DraftEvent[]
}

export interface DraftEvent {
  readonly on: ReplyMatch
  readonly sink: string
  readonly type: string
  /** null: could not be rendered */
  readonly lane: DraftText | null
  /** null: the body of the reply */
  readonly data: DraftData | null
  readonly flaw: string | null
}

/** Texts, and what the completion puts between them. */
export type DraftText = readonly (string | LatePlace)[]

export type DraftData =
  /** nothing is missing: JSON as text */
  | { readonly kind: 'json', readonly json: string }
  | { readonly kind: 'place', readonly place: LatePlace }
  | { readonly kind: 'text', readonly parts: DraftText }
  | { readonly kind: 'object', readonly members: readonly (readonly [name: string, value: DraftData])[] }
  | { readonly kind: 'array', readonly items: readonly DraftData[] }

export interface DraftFilling {
  readonly key: string
  readonly identity: string | null
  readonly route: string
  readonly fields: Fields
  readonly body: Uint8Array
  /** our own span of the request; null: what the client sent holds */
  readonly traceparent: string | null
}

export const VERSION = 1

/** All of a draft, in bytes: it is written with every claim, next to the reply that a completion writes. */
export const MOST_DRAFT_BYTES = 256 * 1024
/** A lane that is longer can be none (see outbox-events.ts), so there is nothing to keep of it. */
const LONGEST_LANE = 1024

/** Null for a route without events. */
export function renderDraft(policies: readonly OutboxPolicy[], filling: DraftFilling): Draft | null {
  if (policies.length === 0) return null
  const request = new Request(filling)
  const events = policies.map((policy) => request.render(policy))
  return { v: VERSION, traceparent: filling.traceparent ?? traceparentOf(filling.fields), events: bounded(events) }
}

export function draftText(draft: Draft): string {
  return JSON.stringify(draft)
}

/** Events that do not fit any more keep who they are, and lose what they say. */
function bounded(events: readonly DraftEvent[]): DraftEvent[] {
  let room = MOST_DRAFT_BYTES
  return events.map((event) => {
    const bytes = Buffer.byteLength(JSON.stringify(event))
    if (bytes <= room) {
      room -= bytes
      return event
    }
    const lane = event.lane !== null && Buffer.byteLength(JSON.stringify(event.lane)) <= LONGEST_LANE ? event.lane : null
    return { ...event, lane, data: null, flaw: event.flaw ?? `what the request gives to it is larger than ${MOST_DRAFT_BYTES} bytes, with the events before it` }
  })
}

type EarlyPart = Exclude<EventPart, { kind: 'text' } | LatePlace>

const NOTHING: DraftData = { kind: 'json', json: 'null' }

/** One request while it is read; its body once for all of its events. */
class Request {
  readonly #filling: DraftFilling
  #document: Json | 'none' | null = null
  #flaw: string | null = null

  constructor(filling: DraftFilling) {
    this.#filling = filling
  }

  render({ on, sink, type, lane, data }: OutboxPolicy): DraftEvent {
    this.#flaw = null
    const filled = this.#text(lane, 'lane')
    const lost = this.#flaw !== null
    const said = data === null ? null : this.#data(data, 'data')
    return { on, sink, type, lane: lost ? null : filled, data: this.#flaw === null ? said : null, flaw: this.#flaw }
  }

  #data(template: DataTemplate, at: string): DraftData {
    switch (template.kind) {
      case 'constant': return { kind: 'json', json: template.json }
      case 'text': return this.#leaf(template.template, at)
      case 'array': {
        const items = template.items.map((item, i) => this.#data(item, `${at}[${i}]`))
        const texts = items.flatMap((item) => (item.kind === 'json' ? [item.json] : []))
        return texts.length === items.length ? { kind: 'json', json: `[${texts.join(',')}]` } : { kind: 'array', items }
      }
      case 'object': {
        const members = template.members.map(([name, value]) => [name, this.#data(value, `${at}.${name}`)] as const)
        const texts = members.flatMap(([name, value]) => (value.kind === 'json' ? [`${JSON.stringify(name)}:${value.json}`] : []))
        return texts.length === members.length ? { kind: 'json', json: `{${texts.join(',')}}` } : { kind: 'object', members }
      }
      default: return template satisfies never
    }
  }

  /** What is one place and nothing else keeps its type. */
  #leaf(template: EventTemplate, at: string): DraftData {
    const [only, ...more] = template
    if (only === undefined || more.length > 0 || only.kind === 'text') {
      const parts = this.#text(template, at)
      return parts.every((part) => typeof part === 'string') ? { kind: 'json', json: JSON.stringify(parts.join('')) } : { kind: 'text', parts }
    }
    if (isLate(only)) return { kind: 'place', place: only }
    if (only.kind !== 'body') {
      const text = this.#value(only, at)
      return text === null ? NOTHING : { kind: 'json', json: JSON.stringify(text) }
    }
    const document = this.#body()
    const value = document === 'none' ? undefined : valueAt(document, only.pointer)
    if (value === undefined) return this.#flawed(at, only, document === 'none' ? 'the body of the request is no JSON' : 'the body of the request has nothing there') ?? NOTHING
    return { kind: 'json', json: jsonText(value) }
  }

  #text(template: EventTemplate, at: string): DraftText {
    const parts: (string | LatePlace)[] = []
    for (const part of template) {
      if (part.kind !== 'text' && isLate(part)) {
        parts.push(part)
        continue
      }
      const text = part.kind === 'text' ? part.text : this.#value(part, at) ?? ''
      const last = parts.at(-1)
      if (typeof last === 'string') parts[parts.length - 1] = last + text
      else parts.push(text)
    }
    return parts
  }

  /** Null, and a flaw, if it is not there. */
  #value(part: EarlyPart, at: string): string | null {
    const { key, identity, route, fields } = this.#filling
    switch (part.kind) {
      case 'key': return key
      case 'route': return route
      case 'identity': return identity ?? this.#flawed(at, part, 'nobody has vouched for who asks')
      case 'header': return headerValue(fields, part.name) ?? this.#flawed(at, part, 'the request has no such header, or not once and in plain ASCII')
      case 'body': {
        const document = this.#body()
        if (document === 'none') return this.#flawed(at, part, 'the body of the request is no JSON')
        return wordAt(document, part.pointer) ?? this.#flawed(at, part, 'the body of the request has no text or integer there')
      }
      default: return part satisfies never
    }
  }

  #body(): Json | 'none' {
    this.#document ??= readJson(this.#filling.body) ?? 'none'
    return this.#document
  }

  /** The first one is told. */
  #flawed(at: string, part: EarlyPart, why: string): null {
    this.#flaw ??= `${at}: ${placeText(part)}: ${why}`
    return null
  }
}

/** A text, or an integer as it was written. */
export function wordAt(document: Json, pointer: readonly string[]): string | undefined {
  const value = valueAt(document, pointer)
  if (value?.kind === 'string') return value.value
  return value?.kind === 'number' && /^-?\d+$/.test(value.source) ? value.source : undefined
}

function isLate(part: Exclude<EventPart, { kind: 'text' }>): part is LatePlace {
  return part.kind === 'operation' || part.kind === 'status' || part.kind === 'reply' || part.kind === 'reply-header'
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** W3C Trace Context, section 3.2: anything that is not one is as good as none. */
export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text)
}

function traceparentOf(fields: Fields): string | null {
  const [value = '', ...more] = valuesOf(fields, 'traceparent')
  return more.length === 0 && isTraceparent(value.trim()) ? value.trim() : null
}
