import type { Document, LineCounter, Node, Scalar } from 'yaml'
import { wrongText, wrongValue, type Locate, type Mistake, type Path, type Spot } from './mistakes.ts'
import { substitute, type Environment } from './substitute.ts'

export interface SourceText {
  readonly name: string
  readonly text: string
}

export type Reading =
  /** `data` is empty for an empty file. `mistakes`: variables that are not set, fields that stand twice. */
  | { readonly kind: 'read', readonly data: Readonly<Record<string, unknown>>, readonly mistakes: readonly Mistake[], readonly locate: Locate }
  /** no structure that could be looked at further */
  | { readonly kind: 'broken', readonly mistakes: readonly Mistake[] }

/**
 * Reads YAML 1.2. Variables are put into scalar values after parsing, so that a value is a value: it can hold quotes,
 * colons and newlines and never becomes structure. A plain scalar is read again afterwards (`${N}` may be a number),
 * a quoted one stays text.
 */
export async function readDocument(source: SourceText, environment: Environment): Promise<Reading> {
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  // logLevel: a warning on standard error would be one more way of telling mistakes
  const doc = yaml.parseDocument(source.text, { version: '1.2', schema: 'core', lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const spotAt = (offset: number, found: string): Spot => spot(source.name, lines, offset, found)

  const mistakes: Mistake[] = []
  for (const problem of [...doc.errors, ...doc.warnings]) {
    const at = spotAt(problem.pos[0], '')
    if (mistakes.some((mistake) => mistake.line === at.line)) continue
    mistakes.push(wrongText(at, syntaxMessage(problem.code, problem.message, lineOf(source.text, lines, at.line))))
  }
  if (doc.errors.some((error) => error.code !== 'DUPLICATE_KEY')) return { kind: 'broken', mistakes }

  const replaced = new Set<Scalar>()
  let dangling = false
  yaml.visit(doc, {
    Pair: (_, pair) => (yaml.isScalar(pair.value) && put(pair.value) === 'empty' ? yaml.visit.REMOVE : undefined),
    Scalar: (where, node) => (typeof where === 'number' && put(node) === 'empty' ? yaml.visit.REMOVE : undefined),
    Alias: (_, alias) => {
      if (alias.resolve(doc) !== undefined) return
      dangling = true
      mistakes.push(wrongText(spotAt(start(alias), ''), `the alias *${alias.source} stands before its anchor, or the anchor does not exist`))
    },
  })
  if (dangling) return { kind: 'broken', mistakes }

  let data: unknown
  try {
    data = doc.toJS({ maxAliasCount: 100 })
  } catch {
    return { kind: 'broken', mistakes: [...mistakes, wrongText(spotAt(0, ''), 'the aliases (*name) of this file repeat too much')] }
  }
  const locate = locator(yaml, doc, lines, source, replaced)
  if (data === null) return { kind: 'read', data: {}, mistakes, locate }
  if (!isRecord(data)) return { kind: 'broken', mistakes: [...mistakes, wrongValue(locate([]), [], 'fields with values, such as upstream: http://127.0.0.1:3000')] }
  return { kind: 'read', data, mistakes, locate }

  function put(node: Scalar): 'empty' | 'kept' {
    if (typeof node.value !== 'string') return 'kept'
    const result = substitute(node.value, environment)
    switch (result.kind) {
      case 'literal': return 'kept'
      case 'replaced':
        replaced.add(node)
        node.value = node.type === 'PLAIN' ? reread(result.text) : result.text
        return result.text === '' ? 'empty' : 'kept'
      case 'unset': {
        replaced.add(node)
        const names = result.variables.join(', ')
        mistakes.push(wrongText(spotAt(start(node), ''), `${shown(source.text, node)}: ${names} is not set in the environment; set it, or write \${${result.variables[0]}:-default}`))
        return 'kept'
      }
      case 'malformed':
        mistakes.push(wrongValue(spotAt(start(node), shown(source.text, node)), [], '${VAR} or ${VAR:-default}, without braces in the default; $${ for the characters ${'))
        return 'kept'
      default: return result satisfies never
    }
  }
}

type Yaml = typeof import('yaml')

function locator(yaml: Yaml, doc: Document.Parsed, lines: LineCounter, source: SourceText, replaced: ReadonlySet<Scalar>): Locate {
  return (path: Path, at?: 'name') => {
    let node: unknown = doc.contents
    let offset = 0
    let name: unknown
    for (const step of path) {
      if (yaml.isAlias(node)) node = node.resolve(doc)
      if (yaml.isNode(node)) offset = start(node)
      if (yaml.isMap(node)) {
        const pair = node.items.find(({ key }) => (yaml.isScalar(key) ? String(key.value) : String(key)) === step)
        name = pair?.key
        node = pair?.value
      } else {
        name = undefined
        node = yaml.isSeq(node) ? node.items[Number(step)] : undefined
      }
      if (node === undefined) return spot(source.name, lines, offset, 'nothing')
    }
    const empty = yaml.isScalar(node) && node.range?.[0] === node.range?.[1]
    const target = (at === 'name' || empty) && yaml.isNode(name) ? name : node
    const literal = yaml.isScalar(node) && !replaced.has(node) ? String(node.value) : null
    return { ...spot(source.name, lines, yaml.isNode(target) ? start(target) : offset, yaml.isNode(node) ? described(yaml, source.text, node) : 'nothing'), literal }
  }
}

function described(yaml: Yaml, text: string, node: Node): string {
  if (yaml.isMap(node)) return 'a group of fields'
  if (yaml.isSeq(node)) return 'a list'
  return yaml.isScalar(node) && node.value === null ? 'nothing' : shown(text, node)
}

/** A node as it stands in the file, which is never the value of a variable, in one line and without a password. */
function shown(text: string, node: Node): string {
  const [first = '', ...more] = withoutPassword(text.slice(node.range?.[0], node.range?.[1])).split('\n')
  return first.length > 60 || more.length > 0 ? `${first.slice(0, 60)}...` : first
}

/** Far more than any URL; the search for a password is quadratic, and what is shown is cut much earlier. */
const LONGEST_LOOKED_AT = 4096

/**
 * `http://user:secret@host` becomes `***@host`: a URL pasted whole must not put its password into a log, and neither must
 * the secret of a webhook that stands in the wrong place.
 */
export function withoutPassword(text: string): string {
  return text.slice(0, LONGEST_LOOKED_AT).replace(/[^\s"':/@]*:[^\s"']*@/, '***@').replaceAll(/whsec_[\w+/=-]+/g, 'whsec_***')
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a plain scalar means in the core schema, as far as a field can want it: a boolean, a whole number or text. */
function reread(text: string): boolean | number | string {
  if (/^(?:true|True|TRUE|false|False|FALSE)$/.test(text)) return text.toLowerCase() === 'true'
  return /^[-+]?[0-9]{1,15}$/.test(text) ? Number(text) : text
}

function syntaxMessage(code: string, message: string, line: string): string {
  if (code === 'DUPLICATE_KEY') return 'this field stands twice in its group; keep one'
  if (code === 'MULTIPLE_DOCS') return 'a second document starts here (---); a configuration is one document'
  if (code === 'TAG_RESOLVE_FAILED') return 'tags (!name) have no meaning here'
  const hint = /[{[,]\s*[^"']*\$\{/.test(line) ? '; inside { } and [ ] a variable needs quotes: "${VAR}"' : ''
  return `not YAML: ${message}${hint}`
}

function spot(file: string, lines: LineCounter, offset: number, found: string): Spot {
  const { line, col } = lines.linePos(offset)
  return { file, line: Math.max(line, 1), column: Math.max(col, 1), found, literal: null }
}

function start(node: Node): number {
  return node.range?.[0] ?? 0
}

function lineOf(text: string, lines: LineCounter, line: number): string {
  return text.slice(lines.lineStarts[line - 1], lines.lineStarts[line])
}
