import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { test } from 'tap'
import { readJournal } from '../../src/store/sqlite/journal.ts'
import { PROBE_COLUMN } from '../../src/store/sqlite/rows.ts'
import { prepare } from '../../src/store/sqlite/statements.ts'
import { request, START_MS } from '../contract/situation.ts'

const FOLDER = join(import.meta.dirname, '../../src/store/sqlite/migrations')

test('a journal that a program without probes left behind is read', async (t) => {
  const database = new DatabaseSync(':memory:')
  t.teardown(() => database.close())
  database.exec(/create table journal[^;]*;/.exec(readFileSync(join(FOLDER, '0003-journal.sql'), 'utf8'))?.[0] ?? '')
  const { id, keyDigest, operationRef, fingerprint, spec, parts, route, holder } = request('a', '1')
  const columns = [id, keyDigest, operationRef, fingerprint, spec, parts, route, START_MS, holder, 1, START_MS + 1, 0, 'in_flight', START_MS + 1, null, null, null, null, null, null, null]
  t.equal(columns.length, PROBE_COLUMN)
  const text = JSON.stringify([1, 1, 0, 0, [[columns, null]]])
  const bodies = Buffer.alloc(0)
  database.prepare('insert into journal values (?, ?, ?, ?)').run(8, text, bodies, crc32(bodies, crc32(text, 8)))
  const { records } = readJournal({ journal: prepare(database, 'journal') }, { commitNumber: 7, inFlight: 0, uncertain: 0, completed: 0 })
  t.match(records.get(id), { id, state: 'in_flight', leaseUntil: START_MS + 1, probe: null })
})
