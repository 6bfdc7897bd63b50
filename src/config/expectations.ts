import { FORMATS } from './formats.ts'
import { alternatives } from './mistakes.ts'
import { nearest } from './nearest.ts'

/** What we read of a JSON Schema when we speak about a field. */
export interface FieldSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly enum?: readonly (string | number)[]
  readonly const?: string | number | boolean
  readonly anyOf?: readonly FieldSchema[]
  readonly items?: FieldSchema
  readonly properties?: Readonly<Record<string, FieldSchema>>
  readonly additionalProperties?: FieldSchema | boolean
  readonly required?: readonly string[]
  readonly format?: string
  readonly formatMinimum?: string
  readonly formatMaximum?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly examples?: readonly string[]
  readonly default?: unknown
  readonly description?: string
}

/** What would be right, in words. */
export function expectedOf(schema: FieldSchema): string {
  if (schema.const !== undefined) return String(schema.const)
  if (schema.enum !== undefined) return alternatives(schema.enum.map(String))
  if (schema.anyOf !== undefined) return schema.anyOf.map((branch) => (branch.type === 'object' ? sample(branch) : expectedOf(branch))).join(', or ')
  const format = FORMATS.get(schema.format ?? '')
  if (format !== undefined) return format.expected
  switch (schema.type) {
    case 'object': return schema.properties === undefined ? `names with values such as ${sample(schema)}` : `a group of fields (${Object.keys(schema.properties).join(', ')})`
    case 'array': return schema.items?.type === 'object' ? 'a list of groups, each after a dash' : 'a list such as [a, b]'
    case 'integer': return `a whole number from ${schema.minimum} to ${schema.maximum}`
    case 'number': return `a number from ${schema.minimum} to ${schema.maximum}`
    case 'boolean': return 'true or false'
    case 'string': case undefined: return 'a text'
    default: return schema.type satisfies never
  }
}

/** `{resend: {within: 24h}}`: the least that a group needs. */
export function sample(schema: FieldSchema): string {
  if (schema.examples?.[0] !== undefined) return schema.examples[0]
  const fields = (schema.required ?? []).map((name) => `${name}: ${sample(schema.properties?.[name] ?? {})}`)
  return `{${fields.join(', ')}}`
}

/** What somebody who wrote `text` probably meant. */
export function suggestionsFor(schema: FieldSchema, text: string): readonly string[] {
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap((branch) => suggestionsFor(branch, text))
  const words = schema.enum?.map(String) ?? (schema.const === undefined ? [] : [String(schema.const)])
  return FORMATS.get(schema.format ?? '')?.suggest?.(text) ?? nearest(text, words)
}
