import { firstOf, valuesOf, type Fields } from './headers.ts'
import { isInterchangeable, readJson } from './json.ts'
import { valueAt } from './json-pointer.ts'
import type { KeyReading } from './key.ts'

/*
 * A CloudEvent is named by its source and its id together (CloudEvents 1.0.2, "id"), in whichever of the two modes it is
 * sent: binary, with both in headers, or structured, with both in a body of JSON. One event has one key in both.
 */

/** Where this request has its source and id; its Content-Type says so (HTTP protocol binding, section 3). */
export type CloudEventsMode = 'binary' | 'structured' | 'batch'

const MEDIA = 'application/cloudevents'

export function cloudEventsMode(fields: Fields): CloudEventsMode {
  const type = (firstOf(fields, 'content-type') ?? '').trim().toLowerCase()
  if (type.startsWith(`${MEDIA}-batch`)) return 'batch'
  return type.startsWith(MEDIA) ? 'structured' : 'binary'
}

/** Two readers of two types would look for the event in two places. */
export function hasOneType(fields: Fields): boolean {
  return valuesOf(fields, 'content-type').length < 2
}

/** What headers cannot have travels percent-encoded (section 3.1.3.2); undefined for what is no such text. */
export function decodedAttribute(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

/** Of a structured event; both are texts that are not empty. */
export function structuredKey(body: Uint8Array, keyOf: (source: string, id: string) => KeyReading): KeyReading {
  if (body.length === 0) return { kind: 'absent' }
  const document = readJson(body)
  if (document === undefined) return { kind: 'invalid', detail: 'a structured CloudEvent must be JSON in UTF-8 without any name twice in an object' }
  const [source, id] = [valueAt(document, ['source']), valueAt(document, ['id'])]
  if (source === undefined && id === undefined) return { kind: 'absent' }
  if (source?.kind !== 'string' || id?.kind !== 'string' || ![source.value, id.value].every(isInterchangeable)) return { kind: 'invalid', detail: 'source and id of a CloudEvent must be texts' }
  return source.value === '' || id.value === '' ? { kind: 'invalid', detail: 'source and id of a CloudEvent must not be empty' } : keyOf(source.value, id.value)
}
