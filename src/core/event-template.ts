import { parsePointer, pointerText, type Pointer } from './json-pointer.ts'
import { parsePlace, readParts, type Part } from './template.ts'

/*
 * Texts of events, with places that a request and its reply fill: `order {body:/id} is {reply:/state}`. What the request has
 * is filled in at the claim, the rest at the completion; see outbox-draft.ts.
 */

/** What only a completion knows. */
export type LatePlace =
  /** the name under which everybody speaks of the operation */
  | { readonly kind: 'operation' }
  | { readonly kind: 'status' }
  | { readonly kind: 'reply', readonly pointer: Pointer }
  /** in lower case */
  | { readonly kind: 'reply-header', readonly name: string }

export type EventPart = Part | { readonly kind: 'route' } | LatePlace

export type EventTemplate = readonly EventPart[]

/** Undefined for a text whose braces mean nothing. */
export function parseEventTemplate(text: string): EventTemplate | undefined {
  return readParts(text, placeOf)
}

/** The place, as it would be written: for causes, which name what was missing. */
export function placeText(part: Exclude<EventPart, { kind: 'text' }>): string {
  switch (part.kind) {
    case 'key': case 'identity': case 'route': case 'operation': case 'status': return `{${part.kind}}`
    case 'header': case 'reply-header': return `{${part.kind}:${part.name}}`
    case 'body': case 'reply': return `{${part.kind}:${pointerText(part.pointer)}}`
    default: return part satisfies never
  }
}

function placeOf(name: string): EventPart | undefined {
  if (name === 'operation' || name === 'route' || name === 'status') return { kind: name }
  if (name.startsWith('reply:')) {
    const pointer = parsePointer(name.slice(6))
    return pointer === undefined ? undefined : { kind: 'reply', pointer }
  }
  if (!name.startsWith('reply-header:')) return parsePlace(name)
  const header = parsePlace(name.slice('reply-'.length))
  return header?.kind === 'header' ? { kind: 'reply-header', name: header.name } : undefined
}
