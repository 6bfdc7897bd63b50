import { connectionNames, valuesOf, type Fields } from './headers.ts'
import { isInterchangeable, readJson } from './json.ts'
import { parsePointer, valueAt, type Pointer } from './json-pointer.ts'

/*
 * Texts with places in them that a request fills: `/v1/charges?key={key}&account={identity}`. What fills them was chosen by a
 * client, so a value never becomes structure: it is percent-encoded in a target, and one that could mean something else in its
 * place (a slash or a dot segment in a path, a line break in a header) fills nothing at all.
 */

export interface TextPart {
  readonly kind: 'text'
  readonly text: string
}

export type Part =
  | TextPart
  /** the client's key */
  | { readonly kind: 'key' }
  /** the name of who asks, where a gateway or a signature vouches for it */
  | { readonly kind: 'identity' }
  | { readonly kind: 'body', readonly pointer: Pointer }
  /** in lower case */
  | { readonly kind: 'header', readonly name: string }

export type Template = readonly Part[]

/** What a request has to fill a template with. */
export interface Filling {
  readonly key: string
  readonly identity: string | null
  readonly fields: Fields
  readonly body: Uint8Array
}

const PLACE = /\{([^{}]*)\}/g

/** Undefined for a text whose braces mean nothing. */
export function parseTemplate(text: string): Template | undefined {
  return readParts(text, parsePlace)
}

/** A text in parts, with what `placeOf` makes of what stands between braces; undefined if that means nothing to it, or a brace stands alone. */
export function readParts<Place extends { readonly kind: string }>(text: string, placeOf: (name: string) => Place | undefined): (Place | TextPart)[] | undefined {
  const parts: (Place | TextPart)[] = []
  const textTo = (end: number, from: number): boolean => {
    if (end > from) parts.push({ kind: 'text', text: text.slice(from, end) })
    return !/[{}]/.test(text.slice(from, end))
  }
  let end = 0
  for (const match of text.matchAll(PLACE)) {
    const place = placeOf(match[1] ?? '')
    if (place === undefined || !textTo(match.index, end)) return undefined
    parts.push(place)
    end = match.index + match[0].length
  }
  return textTo(text.length, end) ? parts : undefined
}

/** What stands between braces; undefined if it means nothing. */
export function parsePlace(name: string): Part | undefined {
  if (name === 'key' || name === 'identity') return { kind: name }
  if (name.startsWith('header:')) return /^header:[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ? { kind: 'header', name: name.slice(7).toLowerCase() } : undefined
  if (!name.startsWith('body:')) return undefined
  const pointer = parsePointer(name.slice(5))
  return pointer === undefined ? undefined : { kind: 'body', pointer }
}

/** A path and query. Null if a value is not there, or could change which path is meant. */
export function fillTarget(template: Template, filling: Filling): string | null {
  let target = ''
  let path = ''
  for (const part of template) {
    if (part.kind === 'text') target += part.text
    else {
      const value = valueFor(part, filling)
      if (value === null || value === '') return null
      const inPath = !target.includes('?')
      // some servers decode %2F before they look for segments
      if (inPath && /[/\\]/.test(value)) return null
      target += percentEncoded(value)
    }
    path = target.split('?', 1)[0] ?? ''
  }
  return path.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment)) ? null : target
}

/** The value of a header. Null if a value is not there or is no plain text in one line. */
export function fillField(template: Template, filling: Filling): string | null {
  const value = fillText(template, filling)
  return value === null || !/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) ? null : value
}

/** A text to compare with. */
export function fillText(template: Template, filling: Filling): string | null {
  let text = ''
  for (const part of template) {
    const value = part.kind === 'text' ? part.text : valueFor(part, filling)
    if (value === null || value === '') return null
    text += value
  }
  return text
}

/** Whether a template has a place of this kind. */
export function names(template: Template, kind: Exclude<Part['kind'], 'text'>): boolean {
  return template.some((part) => part.kind === kind)
}

function valueFor(part: Exclude<Part, { kind: 'text' }>, { key, identity, fields, body }: Filling): string | null {
  switch (part.kind) {
    case 'key': return key
    case 'identity': return identity
    case 'header': return headerValue(fields, part.name)
    case 'body': return bodyValue(body, part.pointer)
    default: return part satisfies never
  }
}

/** Of a header that is there once. Its bytes may be in any encoding, so only ASCII means the same to everybody. */
export function headerValue(fields: Fields, name: string): string | null {
  const [value = '', ...more] = valuesOf(fields, name)
  const plain = value.trim()
  return more.length === 0 && !connectionNames(fields).has(name) && /^[\x20-\x7e]+$/.test(plain) ? plain : null
}

/** A text, or an integer as it was written. */
function bodyValue(body: Uint8Array, pointer: Pointer): string | null {
  const document = readJson(body)
  const value = document === undefined ? undefined : valueAt(document, pointer)
  if (value?.kind === 'string') return isInterchangeable(value.value) ? value.value : null
  return value?.kind === 'number' && /^-?\d+$/.test(value.source) ? value.source : null
}

/** Everything but the unreserved characters of RFC 3986 section 2.3. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
