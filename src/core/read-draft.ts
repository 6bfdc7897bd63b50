import type { LatePlace } from './event-template.ts'
import { VERSION, type Draft, type DraftData, type DraftEvent, type DraftText } from './outbox-draft.ts'
import type { ReplyMatch } from './outbox-policy.ts'

/** Deeper than any that a configuration can say, and far from the end of the stack. */
const MOST_LEVELS = 64

/** Undefined for what this version did not write, and for what is sealed under a key that we lack. */
export function readDraft(text: string): Draft | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isDraft(value) ? value : undefined
}

function isDraft(value: unknown): value is Draft {
  return isGroup(value) && value['v'] === VERSION && isTextOrNull(value['traceparent']) && Array.isArray(value['events']) && value['events'].every(isEvent)
}

function isEvent(value: unknown): value is DraftEvent {
  return isGroup(value) && isMatch(value['on']) && typeof value['sink'] === 'string' && typeof value['type'] === 'string' && isTextOrNull(value['flaw'])
    && (value['lane'] === null || isText(value['lane'])) && (value['data'] === null || isData(value['data'], 0))
}

function isMatch(value: unknown): value is ReplyMatch {
  return isGroup(value) && isNumbers(value['classes']) && isNumbers(value['statuses'])
}

function isText(value: unknown): value is DraftText {
  return Array.isArray(value) && value.every((part) => typeof part === 'string' || isPlace(part))
}

function isPlace(value: unknown): value is LatePlace {
  if (!isGroup(value)) return false
  switch (value['kind']) {
    case 'operation': case 'status': return true
    case 'reply': return Array.isArray(value['pointer']) && value['pointer'].every((token) => typeof token === 'string')
    case 'reply-header': return typeof value['name'] === 'string'
    default: return false
  }
}

function isData(value: unknown, level: number): value is DraftData {
  if (!isGroup(value) || level > MOST_LEVELS) return false
  switch (value['kind']) {
    case 'json': return typeof value['json'] === 'string'
    case 'place': return isPlace(value['place'])
    case 'text': return isText(value['parts'])
    case 'array': return Array.isArray(value['items']) && value['items'].every((item) => isData(item, level + 1))
    case 'object': return Array.isArray(value['members']) && value['members'].every((member) => Array.isArray(member) && member.length === 2 && typeof member[0] === 'string' && isData(member[1], level + 1))
    default: return false
  }
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}
