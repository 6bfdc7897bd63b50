import { isDeepStrictEqual } from 'node:util'
import { isRecord } from './document.ts'
import type { FieldSchema } from './expectations.ts'
import { SCHEMA, type Document } from './schema.ts'

/** These come into force with a reload, and `accept` is about reloads. */
const RELOADED: ReadonlySet<string> = new Set(['defaults', 'routes', 'budgets', 'sinks', 'operations', 'outbox', 'accept'])

/** The fields that differ and are read at the start only, such as `limits.request_body`; a default that is now written out is the same. */
export function needsRestart(running: Document, next: Document): string[] {
  return differing(SCHEMA, running, next).filter(([first = '']) => !RELOADED.has(first)).map((path) => path.join('.'))
}

function differing(group: FieldSchema, a: unknown, b: unknown): string[][] {
  return Object.entries(group.properties ?? {}).flatMap(([name, field]) => {
    const [before, after] = [valueOf(a, name), valueOf(b, name)]
    if (field.properties !== undefined) return differing(field, before, after).map((path) => [name, ...path])
    return isDeepStrictEqual(before ?? field.default, after ?? field.default) ? [] : [[name]]
  })
}

function valueOf(group: unknown, name: string): unknown {
  return isRecord(group) ? group[name] : undefined
}
