import { parseEventTemplate, type EventTemplate } from '../core/event-template.ts'
import { isRecord } from './document.ts'
import { FORMATS } from './formats.ts'
import { beneath, modeOf } from './consumer.ts'
import { wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import { nearest } from './nearest.ts'
import { eventsIn } from './outbox.ts'
import { IDEMPOTENCY } from './policy-schema.ts'
import type { Draft } from './schema.ts'

type RouteDraft = NonNullable<Draft['routes']>[number]
type EventDraft = Exclude<NonNullable<RouteDraft['outbox']>, readonly unknown[]>

/** Nobody writes an event that is nested deeper, and readers of JSON differ from some depth on. */
const MOST_LEVELS = 32

/** Events of completions: there have to be completions, a sink, and nothing secret in what is stored. */
export function checkOutbox(route: RouteDraft, draft: Draft, at: Path, locate: Locate): Mistake[] {
  const { outbox } = route
  if (outbox === undefined) return []
  const group = [...at, 'outbox']
  if (route.pass === true) return [wrongValue(locate(group), group, 'nothing, because the route has pass: true')]
  const key = route.idempotency?.key ?? draft.defaults?.idempotency?.key
  if (key === 'ignored') return [wrongValue(locate(group), group, 'nothing, because idempotency.key is ignored: without keys nothing is completed')]
  if (modeOf(route, draft) === 'shadow') return [wrongValue(locate(group), group, 'nothing, because idempotency.mode is shadow: what is only looked at is not completed, and has no events')]
  return eventsIn(outbox).flatMap((event, i) => checkEvent(event, route, draft, Array.isArray(outbox) ? [...group, String(i)] : group, locate))
}

function checkEvent(event: EventDraft, route: RouteDraft, draft: Draft, at: Path, locate: Locate): Mistake[] {
  const mistakes: Mistake[] = []
  const sinks = Object.keys(draft.sinks ?? {})
  if (event.sink !== undefined && !sinks.includes(event.sink)) {
    const path = [...at, 'sink']
    const spot = locate(path)
    mistakes.push(wrongValue(spot, path, sinks.length === 0 ? 'a name under sinks, and there are none' : `a name under sinks: ${sinks.join(', ')}`, spot.literal === null ? [] : nearest(event.sink, sinks)))
  }
  if (event.lane !== undefined) mistakes.push(...checkText(event.lane, route, draft, [...at, 'lane'], locate))
  if (event.data !== undefined) mistakes.push(...checkData(event.data, route, draft, [...at, 'data'], locate, 0))
  return mistakes
}

function checkData(value: unknown, route: RouteDraft, draft: Draft, path: Path, locate: Locate, level: number): Mistake[] {
  if (level > MOST_LEVELS) return [wrongValue(locate(path), path, `groups and lists at most ${MOST_LEVELS} deep`)]
  if (typeof value === 'string') return checkText(value, route, draft, path, locate)
  if (Array.isArray(value)) return value.flatMap((item, i) => checkData(item, route, draft, [...path, String(i)], locate, level + 1))
  if (isRecord(value)) return Object.entries(value).flatMap(([name, inner]) => checkData(inner, route, draft, [...path, name], locate, level + 1))
  const isJson = value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  return isJson ? [] : [wrongValue(locate(path), path, 'a text, a number, true, false or null')]
}

function checkText(text: string, route: RouteDraft, draft: Draft, path: Path, locate: Locate): Mistake[] {
  const template = parseEventTemplate(text)
  if (template === undefined) return [wrongValue(locate(path), path, FORMATS.get('event-template')?.expected ?? '')]
  if (!isWellFormed(text)) return [wrongValue(locate(path), path, 'a text of whole characters')]
  const scope = route.idempotency?.scope ?? beneath(draft.defaults ?? {}, route).idempotency?.scope ?? IDEMPOTENCY.properties.scope.default
  if (template.some(({ kind }) => kind === 'identity') && typeof scope === 'string') {
    return [wrongValue(locate(path), path, `no {identity}, because with scope: ${scope} nobody has a name; with { header: ... } or { jwt: ... } there is one`)]
  }
  if (hasCredential(template, route, draft)) return [wrongValue(locate(path), path, 'no header that is a credential, because what is filled in is stored and sent on')]
  return []
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

const CREDENTIALS = ['authorization', 'cookie', 'x-api-key', 'proxy-authorization', 'set-cookie']

function hasCredential(template: EventTemplate, route: RouteDraft, draft: Draft): boolean {
  const configured = route.idempotency?.credential_headers ?? draft.defaults?.idempotency?.credential_headers ?? []
  const secret = new Set([...CREDENTIALS, ...configured.map((name) => name.toLowerCase())])
  return template.some((part) => (part.kind === 'header' || part.kind === 'reply-header') && secret.has(part.name))
}
