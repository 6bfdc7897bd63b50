import { readdirSync } from 'node:fs'
import { test } from 'tap'
import { HOT, readStatement, readStatements } from '../../../src/store/postgres/statements.ts'

/** What at least one of CockroachDB, YugabyteDB, Citus and PgBouncer in transaction mode lacks, or has in another way. */
const LACKING: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['session advisory locks', /\bpg_(?:try_)?advisory/i],
  ['temporary tables', /\b(?:temp|temporary|unlogged)\b/i],
  ['system columns', /\b(?:xmin|xmax|cmin|cmax|ctid|tableoid)\b/i],
  ['LISTEN and NOTIFY', /\b(?:listen|notify|pg_notify)\b/i],
  ['settings of a session', /\bset_config\b|\bset\s+(?:local|session)\b/i],
  ['cursors and prepared transactions', /\b(?:declare|cursor|prepare)\b/i],
  ['MERGE', /\bmerge\b/i],
  ['DO blocks and functions of our own', /\bdo\s+\$|\bcreate\b/i],
  ['explicit locks of rows or tables', /\bfor\s+(?:no\s+key\s+)?update\b|\bfor\s+(?:key\s+)?share\b|\block\s+table\b/i],
  ['clocks that run within a statement', /\bclock_timestamp\b/i],
  ['old and new in RETURNING', /\breturning\s+(?:old|new)\./i],
]

test('nothing on the hot path is lacking elsewhere', (t) => {
  for (const name of HOT) {
    const text = readStatement(name, 'onceward').text.replace(/--.*$/gm, '')
    for (const [feature, pattern] of LACKING) t.notMatch(text, pattern, `${name}: ${feature}`)
  }
  t.end()
})

test('no statement changes one table twice, which CockroachDB refuses', (t) => {
  for (const [name, { text }] of Object.entries(readStatements('onceward'))) {
    const changed = [...text.replace(/--.*$/gm, '').matchAll(/\b(?:insert\s+into|update|delete\s+from)\s+onceward\.(\w+)/gi)].map(([, table]) => table)
    t.strictSame(changed, [...new Set(changed)], name)
  }
  t.end()
})

test('every file is one statement, and all placeholders are filled', (t) => {
  for (const file of readdirSync(new URL('../../../src/store/postgres/sql/', import.meta.url))) {
    const { text } = readStatement(file.replace(/\.sql$/, ''), 'onceward', { partition: 'p', modulus: '4', remainder: '1' })
    const bare = text.replace(/--.*$/gm, '')
    t.notMatch(bare, /[{}]/, file)
    t.notMatch(bare, /;\s*\S/, file)
  }
  t.end()
})
