import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'tap'
import { folderOf, open, refusal, replayOf, settle } from './folder.ts'

const MIGRATIONS = readdirSync(join(import.meta.dirname, '../../src/store/sqlite/migrations')).toSorted()

function appliedIn(dataDir: string): unknown[] {
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  try {
    return database.prepare('select name from migration order by number').all().map(({ name }) => name)
  } finally {
    database.close()
  }
}

test('a new database gets all migrations, and an old one none again', async (t) => {
  const dataDir = folderOf(t)
  const store = await open(dataDir)
  await settle(store, ['a'])
  await store.close()
  t.strictSame(appliedIn(dataDir), MIGRATIONS)
  const again = await open(dataDir)
  t.match(await replayOf(again, 'a'), { status: 201 })
  await again.close()
  t.strictSame(appliedIn(dataDir), MIGRATIONS)
})

test('an older program refuses a newer schema, and leaves it alone', async (t) => {
  const dataDir = folderOf(t)
  await (await open(dataDir)).close()
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  database.exec("insert into migration values (9999, '9999-from-the-future.sql', 0)")
  database.close()
  t.match(await refusal(dataDir), /has schema 9999, and this version of onceward knows schemas up to \d+/)
  t.strictSame(appliedIn(dataDir), [...MIGRATIONS, '9999-from-the-future.sql'])
})

test('migrations are numbered without gaps', async (t) => {
  t.strictSame(MIGRATIONS.map((name) => Number(name.slice(0, 4))), MIGRATIONS.map((_, index) => index + 1))
  for (const name of MIGRATIONS) t.match(name, /^\d{4}-[a-z-]+\.sql$/)
})

test('the table refuses a record whose columns do not fit its state', async (t) => {
  const dataDir = folderOf(t)
  const store = await open(dataDir)
  await settle(store, ['a'])
  await store.close()
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  const misfits = ["state = 'in_flight'", "state = 'uncertain'", "state = 'unheard of'", 'status = null', 'body = null', 'lease_until = 1', "cause = 'deadline'", 'fence = 0', 'completed_at = null']
  for (const misfit of misfits) t.throws(() => database.exec(`update key_record set ${misfit}`), { code: 'ERR_SQLITE_ERROR' }, misfit)
  database.close()
})
