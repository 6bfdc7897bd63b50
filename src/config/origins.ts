import { isRecord, withoutPassword } from './document.ts'
import type { FieldSchema } from './expectations.ts'
import { SCHEMA, type Document } from './schema.ts'

/** Who said it: the route itself, the file's `defaults`, or nobody, so that the built-in default holds. */
export type Origin = 'route' | 'defaults' | 'built-in'

export interface FieldOrigin {
  /** such as `idempotency.lease` */
  readonly field: string
  /** as it would be written in the file */
  readonly value: string
  readonly origin: Origin
}

/** These groups are filled up field by field, like the ones around them; any other group within a group counts as one value. */
const FILLED_UP: ReadonlySet<string> = new Set(['retention_bounds', 'fingerprint'])

/** Every field of a route's policy that has a value, and where it is from; `index` null for the fallback route. See resolve.ts. */
export function originsOf(document: Document, index: number | null): FieldOrigin[] {
  const own: unknown = index === null ? {} : document.routes?.[index]
  const fields = Object.entries(SCHEMA.properties.defaults.properties).flatMap(([name, group]) => fieldsOf(`${name}.`, group, valueOf(own, name), valueOf(document.defaults, name)))
  return [...fields, ...outboxOf(valueOf(own, 'outbox'))]
}

/** Only a route itself has events. */
function outboxOf(written: unknown): FieldOrigin[] {
  if (written === undefined) return []
  const [events, several] = Array.isArray(written) ? [written, true] : [[written], false]
  return events.map((event, i): FieldOrigin => ({ field: several ? `outbox[${i}]` : 'outbox', value: flow(event), origin: 'route' }))
}

function fieldsOf(prefix: string, group: FieldSchema, own: unknown, below: unknown): FieldOrigin[] {
  return Object.entries(group.properties ?? {}).flatMap(([name, field]) => {
    const [written, inherited] = [valueOf(own, name), valueOf(below, name)]
    if (field.properties !== undefined) return fieldsOf(`${prefix}${name}.`, field, written, written === undefined || FILLED_UP.has(name) ? inherited : undefined)
    const value = written ?? inherited ?? field.default
    if (value === undefined) return []
    const origin = written !== undefined ? 'route' : inherited !== undefined ? 'defaults' : 'built-in'
    return [{ field: `${prefix}${name}`, value: flow(value), origin }]
  })
}

function valueOf(group: unknown, name: string): unknown {
  return isRecord(group) ? group[name] : undefined
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (isRecord(value)) return `{${Object.entries(value).map(([name, inner]) => `${name}: ${flow(inner)}`).join(', ')}}`
  return withoutPassword(String(value))
}
