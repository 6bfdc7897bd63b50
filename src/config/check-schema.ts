import type { Ajv, AnySchema, ErrorObject, SchemaValidateFunction, ValidateFunction } from 'ajv'
import { isRecord } from './document.ts'
import { expectedOf, suggestionsFor, type FieldSchema } from './expectations.ts'
import { FORMATS } from './formats.ts'
import { alternatives, unknownField, wrongValue, type Locate, type Mistake, type Path } from './mistakes.ts'
import { nearest } from './nearest.ts'
import { CONSUMER } from './consumer-schema.ts'
import { OPERATIONS } from './operations-schema.ts'
import { OUTBOX } from './outbox-schema.ts'
import { CORS, IDEMPOTENCY, RETRY, STATUS } from './policy-schema.ts'
import { SCHEMA, type Document, type Draft } from './schema.ts'
import { SINK } from './sinks-schema.ts'

export interface Checked {
  /** null if there is any mistake */
  readonly document: Document | null
  /** what is left when every refused value is taken out */
  readonly draft: Draft
  /** true if this field, or something within it, was refused */
  readonly refused: (path: Path) => boolean
  readonly mistakes: readonly Mistake[]
}

/** Holds data against the schema and tells every mistake with its place. */
export async function checkSchema(data: Record<string, unknown>, locate: Locate): Promise<Checked> {
  const { Ajv } = await import('ajv')
  const validate = compile(Ajv, data)
  if (validate(data)) return { document: data, draft: data, refused: () => false, mistakes: [] }
  const errors = withoutEchoes(validate.errors ?? [], data)
  const places = errors.map((error) => pathOf(error))
  return {
    document: null,
    draft: prune(structuredClone(data), errors),
    refused: (path) => places.some((place) => path.every((step, i) => place[i] === step)),
    mistakes: errors.map((error) => mistakeOf(error, locate)),
  }
}

/** The groups that stand under `defaults` and on routes: compiled once, not once per place. */
const SHARED = new Map<unknown, string>([[IDEMPOTENCY, 'idempotency'], [RETRY, 'retry'], [STATUS, 'status'], [CORS, 'cors']])

/** Groups that many files have nothing of, each with the name of its field: only what the data names is compiled. */
const RARE = new Map<unknown, string>([[SINK, 'sinks'], [OUTBOX, 'outbox'], [CONSUMER, 'consumer'], [OPERATIONS, 'operations']])

/**
 * Compiling is the costliest thing that a start does with memory, and what it took stays: 13 MB with ajv's defaults,
 * 5 MB without its own messages and optimiser and with shared groups. The schema is held against its meta-schema by a test.
 */
function compile(AjvClass: typeof Ajv, data: Record<string, unknown>): ValidateFunction<Document> {
  const ajv = new AjvClass({ allErrors: true, verbose: true, strict: true, meta: false, validateSchema: false, messages: false, inlineRefs: false, code: { optimize: false } })
  for (const [name, format] of FORMATS) ajv.addFormat(name, { type: 'string', validate: format.accepts })
  ajv.addKeyword({ keyword: 'formatMinimum', type: 'string', schemaType: 'string', validate: bound((measured, limit) => measured >= limit) })
  ajv.addKeyword({ keyword: 'formatMaximum', type: 'string', schemaType: 'string', validate: bound((measured, limit) => measured <= limit) })
  ajv.addSchema(IDEMPOTENCY, 'idempotency').addSchema(RETRY, 'retry').addSchema(STATUS, 'status').addSchema(CORS, 'cors')
  const named = namesIn(data)
  const schema: AnySchema = JSON.parse(JSON.stringify(SCHEMA, (_, value: unknown) => {
    if (SHARED.has(value)) return { $ref: SHARED.get(value) }
    const field = RARE.get(value)
    return field === undefined || named.has(field) ? value : {}
  }))
  return ajv.compile<Document>(schema)
}

/** The names of all members, at whatever depth. An alias of YAML may lead back to what it stands in. */
function namesIn(data: Record<string, unknown>): ReadonlySet<string> {
  const names = new Set<string>()
  const groups = new Set<object>([data])
  for (const group of groups) {
    if (!Array.isArray(group)) for (const name of Object.keys(group)) names.add(name)
    for (const value of Object.values(group)) if (typeof value === 'object' && value !== null) groups.add(value)
  }
  return names
}

/** Passes what the format itself refuses: one mistake is enough. */
function bound(holds: (measured: number, limit: number) => boolean): SchemaValidateFunction {
  return (limit: string, text: string, schema) => {
    const measure = FORMATS.get(schema?.format)?.measure
    const measured = measure?.(text)
    const against = measure?.(limit)
    return measured === undefined || against === undefined || holds(measured, against)
  }
}

/**
 * One error per place. Of the branches of an `anyOf` the one that has the value's shape speaks for all: somebody who
 * writes `in_flight: {wait: 10}` needs to hear about the 10, not that it is not `reject`.
 */
function withoutEchoes(errors: readonly ErrorObject[], data: unknown): ErrorObject[] {
  let kept = [...errors]
  for (const choice of errors.filter(({ keyword }) => keyword === 'anyOf')) {
    const branches = (schemaOf(choice).anyOf ?? []).map((branch, i) => ({ branch, prefix: `${choice.schemaPath}/${i}/` }))
    const value = at(data, pathOf(choice))
    const shape = Array.isArray(value) ? 'array' : typeof value
    const apt = shape === 'object' || shape === 'array' ? branches.find(({ branch }) => branch.type === shape) : undefined
    kept = kept.filter((error) => {
      if (!error.instancePath.startsWith(choice.instancePath)) return true
      if (error === choice) return apt === undefined
      return branches.every(({ branch, prefix }) => branch === apt?.branch || !error.schemaPath.startsWith(prefix))
    })
  }
  const seen = new Set<string>()
  return kept.filter((error) => {
    const place = pathOf(error).join('/')
    return seen.has(place) ? false : seen.add(place)
  })
}

function mistakeOf(error: ErrorObject, locate: Locate): Mistake {
  const path = pathOf(error)
  const schema = schemaOf(error)
  switch (error.keyword) {
    case 'additionalProperties': {
      const known = Object.keys(schema.properties ?? {})
      return unknownField(locate(path, 'name'), path, nearest(path.at(-1) ?? '', known), known)
    }
    case 'required':
      return wrongValue(locate(path), path, expectedOf(schema.properties?.[path.at(-1) ?? ''] ?? {}))
    case 'uniqueItems':
      return wrongValue(locate(path), path, 'every value once')
    case 'minItems':
      return wrongValue({ ...locate(path), found: 'an empty list' }, path, 'at least one')
    case 'minProperties': case 'maxProperties':
      return wrongValue(locate(path), path, `exactly one of ${alternatives(Object.keys(schema.properties ?? {}))}`)
    case 'formatMinimum': return wrongValue(locate(path), path, `at least ${String(error.schema)}`)
    case 'formatMaximum': return wrongValue(locate(path), path, `at most ${String(error.schema)}`)
    default: {
      const there = locate(path)
      const spot = isSecret(schema) && there.found !== 'nothing' ? { ...there, found: 'a text that is not shown' } : there
      return wrongValue(spot, path, expectedOf(schema), spot.literal === null ? [] : suggestionsFor(schema, spot.literal))
    }
  }
}

/** In one of its forms, or in a list of such. */
function isSecret({ format, anyOf, items }: FieldSchema): boolean {
  return FORMATS.get(format ?? '')?.secret === true || anyOf?.some(isSecret) === true || (items !== undefined && isSecret(items))
}

/** The schema whose keyword was broken; ajv has it along with `verbose`. */
function schemaOf(error: ErrorObject): FieldSchema
function schemaOf(error: ErrorObject): object {
  return error.parentSchema ?? {}
}

/** The place that an error is about: the field that is too much or missing, or the second of two equal values. */
function pathOf(error: ErrorObject): Path {
  const path = error.instancePath.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const params: Readonly<Record<string, unknown>> = error.params
  switch (error.keyword) {
    case 'additionalProperties': return [...path, String(params.additionalProperty)]
    case 'required': return [...path, String(params.missingProperty)]
    case 'uniqueItems': return [...path, String(Math.max(Number(params.i), Number(params.j)))]
    default: return path
  }
}

/**
 * Takes out every refused value, with the list it stands in; an entry of a list that should be a group becomes an
 * empty one, so that the entries behind it keep their numbers.
 */
function prune(data: unknown, errors: readonly ErrorObject[]): Draft
function prune(data: unknown, errors: readonly ErrorObject[]): unknown {
  for (const error of errors) {
    const path = pathOf(error)
    const parent = at(data, path.slice(0, -1))
    const last = path.at(-1) ?? ''
    if (isRecord(parent)) delete parent[last]
    else if (!Array.isArray(parent)) continue
    else if (schemaOf(error).type === 'object') parent[Number(last)] = {}
    else {
      const holder = at(data, path.slice(0, -2))
      if (isRecord(holder)) delete holder[path.at(-2) ?? '']
    }
  }
  return data
}

function at(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value[Number(step)]
    return isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined
  }, data)
}
