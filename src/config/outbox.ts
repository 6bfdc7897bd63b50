import { parseEventTemplate, type EventTemplate } from '../core/event-template.ts'
import type { DataTemplate, OutboxPolicy, ReplyMatch } from '../core/outbox-policy.ts'
import { isRecord } from './document.ts'
import { OUTBOX } from './outbox-schema.ts'
import { defaultsOf, type Document } from './schema.ts'

/** The events that a route's completions bring, of `outbox` as it was written. */

type Written = NonNullable<NonNullable<Document['routes']>[number]['outbox']>
type WrittenEvent = Exclude<Written, readonly unknown[]>
type On = NonNullable<WrittenEvent['on']>

export function outboxOf(written: Written | undefined): readonly OutboxPolicy[] {
  if (written === undefined) return []
  return eventsIn(written).map((event) => policyOf(event))
}

export function eventsIn<Event>(written: Event | readonly Event[]): readonly Event[]
export function eventsIn(written: unknown): readonly unknown[] {
  return Array.isArray(written) ? written : [written]
}

function policyOf(written: WrittenEvent): OutboxPolicy {
  const [fields] = OUTBOX.anyOf
  const { on, sink, type, lane, data } = { ...defaultsOf(fields), ...written }
  return { on: matchOf(on), sink, type, lane: templateOf(lane), data: data === undefined ? null : dataOf(data) }
}

/** Every first digit that a status can have. */
const ANY = [1, 2, 3, 4, 5, 6, 7, 8, 9]

function matchOf(on: On): ReplyMatch {
  const words = typeof on === 'object' ? on : [on]
  const classes = words.flatMap((word) => (word === 'any' ? ANY : typeof word === 'string' ? [Number(word[0])] : []))
  return { classes: [...new Set(classes)], statuses: words.filter((word) => typeof word === 'number') }
}

/** What YAML can say and JSON has; the rules have seen to it that there is nothing else. */
function dataOf(value: unknown): DataTemplate {
  if (typeof value === 'string') return { kind: 'text', template: templateOf(value) }
  if (Array.isArray(value)) return { kind: 'array', items: value.map((item) => dataOf(item)) }
  if (isRecord(value)) return { kind: 'object', members: Object.entries(value).map(([name, inner]) => [name, dataOf(inner)] as const) }
  return { kind: 'constant', json: JSON.stringify(value) }
}

function templateOf(text: string): EventTemplate {
  const template = parseEventTemplate(text)
  if (template === undefined) throw new Error('the schema accepted a template that its parser refuses')
  return template
}
