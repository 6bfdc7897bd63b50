import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { test } from 'tap'

/*
 * The house rules of DESIGN section 3, as a test: which layer may import which, what is touched where, how long a
 * file may be. A rule that only people remember is forgotten by the third change. That each of the sixty traps has its
 * test is checked by regression/index.test.ts, and the security page by regression/security-page.test.ts.
 */

const ROOT = resolve(import.meta.dirname, '..')
const SRC = join(ROOT, 'src')

interface Source {
  readonly path: string
  readonly folder: string
  readonly text: string
  readonly imports: readonly string[]
}

const LAYERS: readonly (readonly string[])[] = [
  ['core'],
  ['store', 'upstream', 'sink', 'source', 'identity', 'config', 'telemetry', 'host'],
  ['request', 'relay', 'upkeep'],
  ['listener', 'admin'],
  ['cli', '.'],
]

const sources = filesBelow(SRC).filter((path) => /\.[jt]s$/.test(path)).map(read)

test('every folder of src has a layer', async (t) => {
  for (const { path, folder } of sources) t.not(layerOf(folder), -1, `${path} is in a known folder`)
})

test('a file imports from its own folder or from a lower layer', async (t) => {
  let checked = 0
  for (const source of sources) {
    for (const target of source.imports.filter((name) => name.startsWith('.'))) {
      const folder = folderOf(relative(SRC, resolve(SRC, source.path, '..', target)))
      const allowed = folder === source.folder || layerOf(folder) < layerOf(source.folder) || layerOf(source.folder) === LAYERS.length - 1
      t.ok(allowed, `${source.path} may not import ${target}`)
      checked += 1
    }
  }
  t.ok(checked > 50, 'imports were found at all')
})

test('imports between files have no cycles', async (t) => {
  const edges = new Map(sources.map((source) => [source.path, source.imports.filter((name) => name.startsWith('.')).map((name) => relative(SRC, resolve(SRC, source.path, '..', name)))]))
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    t.notOk(trail.includes(path), `no cycle through ${[...trail, path].join(' -> ')}`)
    if (done.has(path) || trail.includes(path)) return
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
})

const PLACES: readonly { readonly what: string, readonly pattern: RegExp, readonly where: RegExp }[] = [
  { what: 'process', pattern: /\bprocess\.[a-z]|node:process/, where: /^(onceward\.js|main\.ts|cli\/|host\/)/ },
  // what is written of a time that is given reads no clock
  { what: 'the clock', pattern: /\bDate\.now|\bnew Date\b(?!\(\w)|\bperformance\.|node:perf_hooks/, where: /^host\// },
  // a socket's own idle time is a property of the socket, and tests shorten it by the configuration
  { what: 'a timer', pattern: /(?<!\bsocket\.)\bset(Timeout|Interval)\(|node:timers/, where: /^host\// },
  // a turn of the loop is no time: batches gather over turns, which come late by themselves where there is much to do
  { what: 'a turn of the loop', pattern: /\bsetImmediate\(/, where: /^(host\/|store\/group-commit\.ts)/ },
  { what: 'chance', pattern: /Math\.random|random(Bytes|UUID|FillSync|Int)\b/, where: /^host\// },
  { what: 'prom-client', pattern: /from 'prom-client'/, where: /^telemetry\// },
  { what: 'a signal', pattern: /'SIG[A-Z]+'/, where: /^(host|cli)\// },
  { what: 'SQL', pattern: /\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+[a-z_]+/, where: /^$/ },
]

for (const { what, pattern, where } of PLACES) {
  test(`${what} is touched only where it belongs`, async (t) => {
    for (const { path, text } of sources) {
      if (!where.test(path)) t.notMatch(withoutComments(text), pattern, `${path} does not touch ${what}`)
    }
  })
}

test('files are short, named in kebab-case words of the domain, without barrels and default exports', async (t) => {
  for (const { path, text } of sources) {
    const lines = text.split('\n')
    t.ok(lines.length <= 351, `${path} has at most 350 lines, not ${lines.length}`)
    t.match(path.split('/').at(-1), /^[a-z0-9]+(-[a-z0-9]+)*\.(ts|js)$/, `${path} is kebab-case`)
    t.notMatch(path, /(^|\/)(utils?|helpers?|common|types|manager|index)\.(ts|js)$/, `${path} says what it is`)
    t.notMatch(text, /^export default/m, `${path} has no default export`)
    t.notMatch(text, /^export (\*|\{[^}]*\}) from/m, `${path} is no barrel`)
  }
})

test('nothing is silenced, skipped or left for later', async (t) => {
  const tests = filesBelow(join(ROOT, 'test')).filter((path) => path.endsWith('.ts') && !path.endsWith('architecture.test.ts')).map((path) => ({ path, text: readFileSync(path, 'utf8') }))
  for (const { path, text } of [...sources, ...tests]) {
    t.notMatch(text, /\b(TODO|FIXME|XXX)\b|@ts-(ignore|expect-error|nocheck)|(es|ox)lint-disable/, `${relative(ROOT, path)} is finished`)
    t.notMatch(withoutComments(text), /\bas any\b(?! [a-z])/, `${relative(ROOT, path)} keeps its types`)
    t.notMatch(text, /\b(t|tap)\.(skip|todo|only)\b|\btest\.(skip|todo|only)\b|\{ *(skip|todo|only):/, `${relative(ROOT, path)} skips nothing`)
  }
})

test('each invariant of DESIGN section 1 that is in reach has a test with its name', async (t) => {
  const titles = filesBelow(join(ROOT, 'test')).filter((path) => path.endsWith('.test.ts')).flatMap((path) => readFileSync(path, 'utf8').match(/test\(\s*(['"`])I\d .*?\1/g) ?? [])
  for (const invariant of ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8']) {
    t.ok(titles.some((title) => title.includes(`${invariant} `)), `${invariant} has its test`)
  }
})

function read(path: string): Source {
  const text = readFileSync(path, 'utf8')
  const name = relative(SRC, path)
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string)
  return { path: name, folder: folderOf(name), text, imports }
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '.'
}

function layerOf(folder: string): number {
  return LAYERS.findIndex((folders) => folders.includes(folder))
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesBelow(path) : [path]
  })
}
