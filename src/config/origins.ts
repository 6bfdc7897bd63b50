import { presetOf, shownConsumer } from './consumer.ts'
import { isRecord, withoutPassword } from './document.ts'
import type { FieldSchema } from './expectations.ts'
import { SCHEMA, type Document } from './schema.ts'

/** Who said it: the route itself, its `consumer`, the file's `defaults`, or nobody, so that the built-in default holds. */
export type Origin = 'route' | 'consumer' | 'defaults' | 'built-in'

export interface FieldOrigin {
  /** such as `idempotency.lease` */
  readonly field: string
  /** as it would be written in the file */
  readonly value: string
  readonly origin: Origin
}

/** These groups are filled up field by field, like the ones around them; any other group within a group counts as one value. */
const FILLED_UP: ReadonlySet<string> = new Set(['retention_bounds', 'fingerprint'])

/** Whoever may have said it, the nearest first. */
type Layers = readonly { readonly origin: Origin, readonly group: unknown }[]

/** Every field of a route's policy that has a value, and where it is from; `index` null for the fallback route. See resolve.ts. */
export function originsOf(document: Document, index: number | null): FieldOrigin[] {
  const own = index === null ? undefined : document.routes?.[index]
  const fields = Object.entries(SCHEMA.properties.defaults.properties).flatMap(([name, group]) => fieldsOf(`${name}.`, group, [
    { origin: 'route', group: valueOf(own, name) },
    { origin: 'consumer', group: own === undefined ? undefined : valueOf(presetOf(own), name) },
    { origin: 'defaults', group: valueOf(document.defaults, name) },
  ]))
  const consumer: FieldOrigin[] = own?.consumer === undefined ? [] : [{ field: 'consumer', value: flow(shownConsumer(own.consumer)), origin: 'route' }]
  const async: FieldOrigin[] = own?.async === undefined ? [] : [{ field: 'async', value: own.async, origin: 'route' }]
  return [...consumer, ...fields, ...async, ...outboxOf(own?.outbox)]
}

/** Only a route itself has events. */
function outboxOf(written: unknown): FieldOrigin[] {
  if (written === undefined) return []
  const [events, several] = Array.isArray(written) ? [written, true] : [[written], false]
  return events.map((event, i): FieldOrigin => ({ field: several ? `outbox[${i}]` : 'outbox', value: flow(event), origin: 'route' }))
}

function fieldsOf(prefix: string, group: FieldSchema, layers: Layers): FieldOrigin[] {
  return Object.entries(group.properties ?? {}).flatMap(([name, field]) => {
    const said = layers.map(({ origin, group: from }) => ({ origin, group: valueOf(from, name) })).filter((layer) => layer.group !== undefined)
    if (field.properties !== undefined) return fieldsOf(`${prefix}${name}.`, field, FILLED_UP.has(name) ? said : said.slice(0, 1))
    const { origin, group: value } = said[0] ?? { origin: 'built-in', group: field.default }
    return value === undefined ? [] : [{ field: `${prefix}${name}`, value: flow(value), origin }]
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
