import { readFile, writeFile } from 'node:fs/promises'
import { sample, type FieldSchema } from '../../src/config/expectations.ts'
import { SCHEMA } from '../../src/config/schema.ts'

/*
 * Writes what is derived from the schema: config/schema.json and the table in docs/configuration.md. A test compares
 * both with what stands here; run this file (npm run config:reference) after a change of the schema.
 */

export const SCHEMA_FILE = new URL('../../config/schema.json', import.meta.url)
export const PAGE_FILE = new URL('../../docs/configuration.md', import.meta.url)

const BEGIN = '<!-- reference: written by npm run config:reference -->'
const END = '<!-- /reference -->'

/** A route takes these from `defaults`, so there they have no default of their own. */
const INHERITED = ['idempotency', 'retry', 'status', 'cors']

export function schemaText(): string {
  const routes = SCHEMA.properties.routes
  const inherited = Object.entries(routes.items.properties).filter(([name]) => INHERITED.includes(name))
  const groups = Object.fromEntries(inherited.map(([name, group]) => [name, withoutDefaults(group)]))
  const items = { ...routes.items, properties: { ...routes.items.properties, ...groups } }
  return `${JSON.stringify({ ...SCHEMA, properties: { ...SCHEMA.properties, routes: { ...routes, items } } }, null, 2)}\n`
}

/** The page with a fresh table between its two markers; everything else is written by hand. */
export function pageWithTable(page: string): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin === -1 || end < begin) throw new Error('docs/configuration.md has lost its markers')
  return `${page.slice(0, begin)}${BEGIN}\n\n${table()}\n\n${page.slice(end)}`
}

function table(): string {
  const rows = fieldRows('', SCHEMA)
  return ['| field | value | default | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function fieldRows(prefix: string, group: FieldSchema): string[] {
  return Object.entries(group.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`
    if (prefix === 'routes[].' && INHERITED.includes(name)) {
      return [row(path, 'group', 'from `defaults`', `${field.description} The fields of \`defaults.${name}\`, each taken from there if it is left out.`)]
    }
    const needed = group.required?.includes(name) === true ? 'required' : ''
    if (field.type === 'object') return [row(path, 'group', needed, field.description ?? ''), ...fieldRows(`${path}.`, field), ...namedRows(path, field)]
    const standard = field.default === undefined ? needed : code(field.default)
    const nested = [...(field.anyOf ?? []), ...(field.items === undefined ? [] : [field.items])].filter(({ type }) => type === 'object')
    return [row(path, values(field), standard, field.description ?? ''), ...nested.flatMap((inner) => fieldRows(`${path}${field.items === undefined ? '' : '[]'}.`, inner))]
  })
}

/** Of a group whose members have names of the file's own. */
function namedRows(path: string, { properties, additionalProperties: named }: FieldSchema): string[] {
  return properties === undefined && typeof named === 'object' ? fieldRows(`${path}.NAME.`, named) : []
}

function values(field: FieldSchema): string {
  if (field.const !== undefined) return code(field.const)
  if (field.enum !== undefined) return field.enum.map(code).join(', ')
  if (field.anyOf !== undefined) return field.anyOf.map((branch) => (branch.type === 'object' ? `\`${sample(branch)}\`` : values(branch))).join(', ')
  const bounds = [field.formatMinimum === undefined ? '' : `from ${field.formatMinimum}`, field.formatMaximum === undefined ? '' : `to ${field.formatMaximum}`].join(' ').trim()
  const kind = (field.format ?? '').replace('-with-unit', '').replaceAll('-', ' ')
  if (field.type === 'boolean') return '`true`, `false`'
  if (field.type === 'number') return `number, ${field.minimum} to ${field.maximum}`
  if (field.type === 'integer') return `whole number, ${field.minimum} to ${field.maximum}`
  if (field.type === 'array') return field.items?.type === 'object' ? 'list of groups' : `list: ${values(field.items ?? {})}`
  return `${kind === '' ? 'text' : kind}${bounds === '' ? '' : `, ${bounds}`}`
}

function row(path: string, value: string, standard: string, meaning: string): string {
  return `| \`${path}\` | ${value} | ${standard} | ${meaning} |`
}

function code(value: unknown): string {
  return `\`${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}\``
}

/** In a schema `default` is a keyword; no field of ours has that name. */
function withoutDefaults(schema: object): unknown {
  return JSON.parse(JSON.stringify(schema, (name, value: unknown) => (name === 'default' ? undefined : value)))
}

if (import.meta.main) {
  await writeFile(SCHEMA_FILE, schemaText())
  await writeFile(PAGE_FILE, pageWithTable(await readFile(PAGE_FILE, 'utf8')))
}
