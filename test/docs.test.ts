import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'tap'
import { loadConfig } from '../src/config/load.ts'
import { PROBLEMS } from '../src/core/problem.ts'

const ROOT = resolve(import.meta.dirname, '..')
const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', ...readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]

test('every policy in README is one that Onceward accepts', async (t) => {
  const examples = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
  t.ok(examples.length > 0)
  for (const text of examples) t.match(await loadConfig({ file: { name: 'README.md', text }, flags: {}, environment: {} }), { kind: 'loaded' })
})

test('docs/errors.md has every problem as the table in the code has it', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
  for (const [code, kind] of Object.entries(PROBLEMS)) {
    t.ok(text.includes(`| \`${code}\` | ${kind.status} | ${kind.mayHaveRun ? 'yes' : 'no'} | ${kind.safeToRetry ? 'yes' : 'no'} | ${kind.title} |`), code)
  }
})

test('every command that the pages name is there', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  for (const page of PAGES) {
    for (const [, name = ''] of readFileSync(join(ROOT, page), 'utf8').matchAll(/npm run ([a-z:-]*[a-z])/g)) t.ok(name in scripts, `${page}: npm run ${name}`)
  }
})

test('every link between the pages leads somewhere', async (t) => {
  for (const page of PAGES) {
    for (const [, target = ''] of readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (!/^https?:/.test(target)) t.ok(existsSync(join(ROOT, dirname(page), target)), `${page}: ${target}`)
    }
  }
})
