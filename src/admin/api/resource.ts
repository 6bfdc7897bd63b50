import type { Act } from '../../core/record.ts'

/** JSON Schema, draft 7, as fastify checks what comes in and writes what goes out by. */
export type Schema = Readonly<Record<string, unknown>>

/** What was asked of a resource, and checked. */
export interface Asked {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  readonly body: Readonly<Record<string, unknown>>
  /** who asks, and why where something is to be changed */
  readonly act: Act
}

/**
 * One method of one path below /api/v1: what it takes, what it answers with 200, and who does it. The OpenAPI document is made of these,
 * and nothing else is served. A GET changes nothing. What is not in the schema of the answer does not leave.
 */
export interface Resource {
  readonly method: 'GET' | 'POST'
  /** `/keys/{operation}` */
  readonly path: string
  readonly id: string
  readonly summary: string
  readonly params?: Readonly<Record<string, Schema>>
  readonly query?: Readonly<Record<string, Schema>>
  readonly body?: Schema
  readonly answer: Schema
  readonly handle: (asked: Asked) => Promise<object>
}

export function objectOf(properties: Readonly<Record<string, Schema>>, required: readonly string[] = Object.keys(properties)): Schema {
  return { type: 'object', additionalProperties: false, required, properties }
}

export function listOf(items: Schema): Schema {
  return objectOf({ items: { type: 'array', items }, next: { type: ['string', 'null'], description: 'Behind what the next page begins (`after`); null on the last one.' } })
}

export const nullable = (type: string): Schema => ({ type: [type, 'null'] })
export const TEXT: Schema = { type: 'string' }
export const COUNT: Schema = { type: 'integer', minimum: 0 }
export const FLAG: Schema = { type: 'boolean' }
export const TIME: Schema = { type: 'string', format: 'date-time' }

/** Longest word of a client or operator that anything is looked for by. */
const LONGEST_WORD = 4096
export const WORD: Schema = { type: 'string', minLength: 1, maxLength: LONGEST_WORD }
export const REASON: Schema = { type: 'string', minLength: 1, maxLength: 1000, pattern: '\\S', description: 'Why: kept in the audit trail.' }
export const LIMIT: Schema = { type: 'integer', minimum: 1, maximum: 1000, default: 100, description: 'How many at most.' }
