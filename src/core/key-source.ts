import { cloudEventsMode, decodedAttribute, hasOneType, structuredKey } from './cloudevents-key.ts'
import { connectionNames, valuesOf, type Fields } from './headers.ts'
import { isInterchangeable, readJson } from './json.ts'
import { pointerText, valueAt, type Pointer } from './json-pointer.ts'
import { readKey, type KeyReading } from './key.ts'

/**
 * Where a route finds the key of a request that has no Idempotency-Key: in headers that its senders set anyway, or in
 * the body. Names in lower case.
 */
export type KeySource =
  | { readonly kind: 'none' }
  | { readonly kind: 'headers', readonly names: readonly string[] }
  | { readonly kind: 'pointer', readonly pointer: Pointer }
  /** source and id of a CloudEvent, in headers or in the body */
  | { readonly kind: 'cloudevents' }

/**
 * What an Idempotency-Key counts for beside a source. `ignored`: on the way of a webhook it is nothing that the sender
 * has signed, and with one of their own anybody could have a recorded delivery run again.
 */
export type KeyHeader = 'first' | 'ignored'

/*
 * A key from here is a text that names its source and begins with a line feed, which no Idempotency-Key contains: the
 * same words from two sources are two keys. Every length stands in front of its text, so that ["a", "b:c"] and
 * ["a:b", "c"] are two keys as well.
 */
const APART = '\n'

/** Room for the URIs that CloudEvents have for a source; the Idempotency-Key itself has 255. */
const LONGEST = 1024

const VISIBLE = /^[\x21-\x7e]+$/

/** All that can be said before the body is read; 'in-body' if only the body can say. */
export function readKeyAhead(fields: Fields, source: KeySource, header: KeyHeader = 'first'): KeyReading | { readonly kind: 'in-body' } {
  const reading: KeyReading = header === 'first' ? readKey(fields) : { kind: 'absent' }
  if (reading.kind !== 'absent') return reading
  switch (source.kind) {
    case 'none': return reading
    case 'headers': return readKeyFromHeaders(fields, source.names)
    case 'pointer': return { kind: 'in-body' }
    case 'cloudevents': return cloudEventsAhead(fields)
    default: return source satisfies never
  }
}

/** What only the body could say. */
export function readKeyInBody(body: Uint8Array, source: KeySource): KeyReading {
  switch (source.kind) {
    case 'none': case 'headers': return { kind: 'absent' }
    case 'pointer': return readKeyFromBody(body, source.pointer)
    case 'cloudevents': return structuredKey(body, cloudEventsKey)
    default: return source satisfies never
  }
}

const CE = ['ce-source', 'ce-id'] as const

function cloudEventsAhead(fields: Fields): KeyReading | { readonly kind: 'in-body' } {
  if (!hasOneType(fields)) return invalid('Content-Type was sent more than once')
  const mode = cloudEventsMode(fields)
  switch (mode) {
    case 'structured': return { kind: 'in-body' }
    case 'batch': return invalid('a batch has many CloudEvents, and a key is of one')
    case 'binary': break
    default: return mode satisfies never
  }
  const reading = readKeyFromHeaders(fields, CE)
  if (reading.kind !== 'present') return reading
  const [source, id] = CE.map((name) => decodedAttribute(valuesOf(fields, name)[0]?.trim() ?? ''))
  return source === undefined || id === undefined ? invalid('ce-source and ce-id must be percent-encoded UTF-8') : cloudEventsKey(source, id)
}

function cloudEventsKey(source: string, id: string): KeyReading {
  if (source.length + id.length > LONGEST) return tooLong()
  return { kind: 'present', key: `${APART}cloudevents${source.length}:${source}${id.length}:${id}` }
}

/** All of the headers or none of them; half a key is no key. */
export function readKeyFromHeaders(fields: Fields, names: readonly string[]): KeyReading {
  const nominated = connectionNames(fields)
  let key = `${APART}headers`
  let found = 0
  let length = 0
  for (const name of names) {
    if (nominated.has(name)) return invalid(`the Connection field must not name ${name}`)
    const [value, ...more] = valuesOf(fields, name)
    if (value === undefined) continue
    if (more.length > 0) return invalid(`${name} was sent more than once`)
    const text = value.trim()
    if (!VISIBLE.test(text)) return invalid(`${name} must be visible ASCII characters`)
    found += 1
    length += text.length
    key += `${name.length}:${name}${text.length}:${text}`
  }
  if (found === 0) return { kind: 'absent' }
  if (found < names.length) return invalid(`the key is made of ${names.join(' and ')}, and not all of them were sent`)
  return length <= LONGEST ? { kind: 'present', key } : tooLong()
}

/**
 * A text, or an integer as it is written: a double would make one key of two long ones. An empty body and a `null`
 * have no key; a body that could be read in two ways (see `readJson`) has no valid one.
 */
export function readKeyFromBody(body: Uint8Array, pointer: Pointer): KeyReading {
  if (body.length === 0) return { kind: 'absent' }
  const document = readJson(body)
  if (document === undefined) return invalid('the key is a member of the body, which must be JSON in UTF-8 without any name twice in an object')
  const value = valueAt(document, pointer)
  const lead = leadOf(pointer)
  switch (value?.kind) {
    case undefined: return { kind: 'absent' }
    case 'word': return value.word === 'null' ? { kind: 'absent' } : wrongKind()
    case 'string':
      if (value.value === '' || !isInterchangeable(value.value)) return wrongKind()
      return value.value.length <= LONGEST ? { kind: 'present', key: `${lead}text:${value.value}` } : tooLong()
    case 'number': return INTEGER.test(value.source) ? { kind: 'present', key: `${lead}integer:${value.source}` } : wrongKind()
    case 'array': case 'object': return wrongKind()
    default: return value satisfies never
  }
}

/** The keys that somebody may mean by a word on a route with this source; none if several words make a key there. */
export function keysMeant(word: string, source: KeySource): string[] {
  switch (source.kind) {
    case 'none': return []
    case 'headers': {
      const [name, ...more] = source.names
      const reading = name === undefined || more.length > 0 ? undefined : readKeyFromHeaders([name, word], [name])
      return reading?.kind === 'present' ? [reading.key] : []
    }
    case 'pointer': {
      const lead = leadOf(source.pointer)
      return [`${lead}text:${word}`, ...(INTEGER.test(word) ? [`${lead}integer:${word}`] : [])]
    }
    case 'cloudevents': return []
    default: return source satisfies never
  }
}

/** How a client gives its key on a route with this source. */
export function sourceText(source: KeySource, header: KeyHeader = 'first'): string {
  const first = header === 'first' ? 'an Idempotency-Key or ' : ''
  switch (source.kind) {
    case 'none': return 'an Idempotency-Key'
    case 'headers': return `${first}${source.names.join(' and ')}`
    case 'pointer': return `${first}a value at ${pointerText(source.pointer)} of its body`
    case 'cloudevents': return `${first}source and id of a CloudEvent`
    default: return source satisfies never
  }
}

const INTEGER = /^(?:0|-?[1-9]\d*)$/

function leadOf(pointer: Pointer): string {
  const at = pointerText(pointer)
  return `${APART}pointer${at.length}:${at}`
}

function wrongKind(): KeyReading {
  return invalid('the member of the body that is the key must be a text or an integer')
}

function tooLong(): KeyReading {
  return invalid(`a key that is no Idempotency-Key may have at most ${LONGEST} characters`)
}

function invalid(detail: string): KeyReading {
  return { kind: 'invalid', detail }
}
