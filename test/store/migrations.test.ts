import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { test } from 'tap'
import type { KeyRecord } from '../../src/core/record.ts'
import { checksumOf, columnsOf, sealFields } from '../../src/store/sqlite/rows.ts'
import { createWitness, openWitness, writeWitness } from '../../src/store/sqlite/witness.ts'
import { keptReply, readable, request, RETENTION_MS, START_MS } from '../contract/situation.ts'
import { folderOf, open, refusal, replayOf, settle } from './folder.ts'

const FOLDER = join(import.meta.dirname, '../../src/store/sqlite/migrations')
const MIGRATIONS = readdirSync(FOLDER).toSorted()

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

/** A database as the first two migrations made it, with completed keys, as an earlier program left it behind. */
function writtenBeforeTheJournal(dataDir: string, names: readonly string[]): void {
  mkdirSync(dataDir, { recursive: true })
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  database.exec('pragma journal_mode = wal; create table migration (number integer primary key, name text not null, applied_at integer not null) strict')
  for (const [i, name] of MIGRATIONS.slice(0, 2).entries()) {
    database.exec(readFileSync(join(FOLDER, name), 'utf8'))
    database.prepare('insert into migration values (?, ?, 0)').run(i + 1, name)
  }
  for (const name of names) {
    const { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route } = request(name, '1')
    const stored = keptReply(`reply of ${name}`)
    if (stored.kind !== 'kept') throw new Error('a kept reply is kept')
    const reply = { ...stored.reply, headers: [sealFields(stored.reply.headers)], trailers: [sealFields(stored.reply.trailers)] }
    const record: KeyRecord = {
      id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, fence: 1, attempts: 1,
      probe: null, outbox: null, accepted: null, createdAt: START_MS, retainUntil: START_MS + RETENTION_MS, state: 'completed', completedAt: START_MS, reply: { kind: 'kept', reply },
    }
    const columns = columnsOf(record).slice(0, -4) // there were no probes then, no drafts of events, and nothing was accepted
    database.prepare(`insert into key_record values (null, ${columns.map(() => '?').join(', ')}, ?)`).run(...columns, checksumOf([...columns, null, null, null, null], 0))
  }
  database.prepare('update ledger set commit_number = 9, completed = ?, checksum = ?').run(names.length, crc32(`9\n0\n0\n${names.length}`))
  database.close()
  const witness = join(dataDir, 'onceward.witness')
  createWitness(witness)
  writeWitness(openWitness(witness), 9)
}

test('a database of before the journal is taken over, and its keys answer as before', async (t) => {
  const dataDir = join(folderOf(t), 'data')
  const names = Array.from({ length: 200 }, (_, i) => `old-${i}`)
  writtenBeforeTheJournal(dataDir, names)
  for (let start = 0; start < 2; start += 1) {
    const store = await open(dataDir)
    for (const name of names) t.strictSame(await replayOf(store, name), readable(keptReply(`reply of ${name}`)))
    t.match(await store.find({ keyDigest: request('old-7', '1').keyDigest }, 2), [{ id: request('old-7', '1').id }])
    await settle(store, [`new-${start}`])
    t.match(await store.census(), { completed: names.length + start + 1 })
    await store.close()
  }
})
