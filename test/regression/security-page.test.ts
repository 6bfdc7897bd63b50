import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'tap'
import { hasTest } from '../support/titles.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** The classes of our collection of advisories; each has its row, in this order. */
const CLASSES = [
  'Connection strips a field that the guard relies on', 'Content-Type read in two ways', 'Forwarded and its kin forged', 'Paths that get around a route', 'Request smuggling, in', 'Request smuggling, out',
  'Response splitting from a stored reply', 'Response queue poisoning', 'A reply of another tenant', 'Fields of trust set from outside', 'A reply from a shared cache that somebody else can write', 'Passwords in logs and errors', 'Log injection', 'Slow patterns and collisions', 'Prototype pollution', 'Decompression',
  'Memory without bound', 'HTTP/2 floods', 'Slow clients', 'A process that ends by an error nobody caught', 'Requests to other destinations', 'Timing of signatures', 'A webhook that is forged or recorded', 'The listener for operators', 'Series without bound', 'What is installed',
]

const rows = readFileSync(join(ROOT, 'docs/security.md'), 'utf8').split('\n').filter((line) => /^\| (?!class )/.test(line)).map((line) => {
  const [name = '', , covered = ''] = line.slice(1, -1).split('|').map((cell) => cell.trim())
  return { name, covered }
})

/** `` `file`: "title", "title"; `file`: "title" `` */
function namedIn(covered: string): { readonly file: string, readonly title: string }[] {
  return [...covered.matchAll(/`(test\/[^`]+)`: ((?:"[^"]+"(?:, )?)+)/g)].flatMap(([, file = '', titles = '']) => [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ file, title })))
}

test('docs/security.md has a row for every class', async (t) => {
  t.same(rows.map(({ name }) => name), CLASSES)
})

test('every row names tests that are there, or says why there is none', async (t) => {
  let named = 0
  for (const { name, covered } of rows) {
    const tests = namedIn(covered)
    named += tests.length
    if (tests.length === 0) t.match(covered, /cannot apply because .{20,}/, name)
    for (const { file, title } of tests) t.ok(existsSync(join(ROOT, file)) && hasTest(readFileSync(join(ROOT, file), 'utf8'), title), `${name}: ${file} has "${title}"`)
  }
  t.comment(`${rows.length} classes, ${named} tests`)
})

test('every file of test/regression/security is named on the page', async (t) => {
  const named = new Set(rows.flatMap(({ covered }) => namedIn(covered).map(({ file }) => file)))
  for (const file of readdirSync(join(ROOT, 'test/regression/security'))) t.ok(named.has(`test/regression/security/${file}`), file)
})
