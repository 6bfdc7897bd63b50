import t, { test } from 'tap'
import { objectionsTo, type Engine } from '../../../src/store/postgres/engine.ts'
import { openPostgresStore } from '../../../src/store/postgres/key-store.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl, startPostgres } from '../../support/services/postgres.ts'
import { NotedJournal } from '../../support/quiet.ts'
import { connected, openedStore, storeOptions, until } from './opened.ts'

needs(t, 'postgres')

const GOOD: Engine = {
  version: 150_018, encoding: 'UTF8', inRecovery: false, fsync: 'on', fullPageWrites: 'on', synchronousCommit: 'on', synchronousStandbyNames: '', standbys: 0,
  isolation: 'read committed', maxConnections: 100,
}

test('what does not do is named, with the words that accept it where that makes sense', (t) => {
  const cases: readonly [Partial<Engine>, RegExp, ('replicated' | 'local' | 'none')[]][] = [
    [{ inRecovery: true }, /standby/, ['replicated', 'local', 'none']],
    [{ version: 130_010 }, /version 13/, ['replicated', 'local', 'none']],
    [{ encoding: 'SQL_ASCII' }, /UTF8/, ['replicated', 'local', 'none']],
    [{ fsync: 'off' }, /fsync is off.*durability: none/, ['replicated', 'local']],
    [{ fullPageWrites: 'off' }, /full_page_writes is off/, ['replicated', 'local']],
    [{ synchronousCommit: 'off' }, /synchronous_commit is off/, ['replicated', 'local']],
    [{ synchronousCommit: 'local', standbys: 1 }, /local although.*durability: local/, ['replicated']],
    [{ synchronousCommit: 'local', synchronousStandbyNames: '*' }, /local although/, ['replicated']],
    [{ standbys: 1 }, /a standby that is asynchronous/, ['replicated']],
    [{ standbys: 2 }, /2 standbys, all asynchronous/, ['replicated']],
    [{ standbys: 2, synchronousStandbyNames: 'ANY 1 (a, b)' }, /never/, []],
    [{ synchronousCommit: 'local' }, /never/, []],
    [{ synchronousCommit: 'remote_apply' }, /never/, []],
  ]
  for (const [change, says, refusedUnder] of cases) {
    for (const durability of ['replicated', 'local', 'none'] as const) {
      const objections = objectionsTo({ ...GOOD, ...change }, durability)
      if (refusedUnder.includes(durability)) t.match(objections.join(), says, `${JSON.stringify(change)} ${durability}`)
      else t.strictSame(objections, [], `${JSON.stringify(change)} ${durability}`)
    }
  }
  t.end()
})

test('a database that commits asynchronously is refused, unless nothing is asked of it', async (t) => {
  const url = await postgresUrl()
  const admin = await connected(t, url)
  await admin.query(`alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off`)
  await t.rejects(openPostgresStore(storeOptions(url)), /synchronous_commit is off/)
  await t.rejects(openPostgresStore(storeOptions(url, { durability: 'local' })), /synchronous_commit is off/)
  await openedStore(t, url, { durability: 'none' })
})

test('a standby is refused, and its primary too while it replicates asynchronously', async (t) => {
  const primary = await startPostgres(t)
  const standby = await primary.standby(t, 'second')
  await t.rejects(openPostgresStore(storeOptions(standby.url)), /read-only: a standby/)
  await until(async () => (await primary.query('select from pg_stat_replication')).length === 1)
  await t.rejects(openPostgresStore(storeOptions(primary.url)), /a standby that is asynchronous.*durability: local/)
  await openedStore(t, primary.url, { durability: 'local' })
})

test('a server without fsync is refused', async (t) => {
  const server = await startPostgres(t, { settings: { fsync: 'off' } })
  await t.rejects(openPostgresStore(storeOptions(server.url)), /fsync is off/)
})

test('what the server says of itself is logged once', async (t) => {
  const journal = new NotedJournal()
  await openedStore(t, await postgresUrl(), { journal })
  t.strictSame(journal.events.filter((name) => name === 'store.engine'), ['store.engine'])
})

test('no error has the password in it', async (t) => {
  for (const url of ['postgres://user:hunter2@127.0.0.1:1/db', 'postgres://user:hunter2@127.0.0.1:1,127.0.0.1:2/db', 'postgres://user:hunter2@[nonsense/db']) {
    const error = await openPostgresStore(storeOptions(url)).then(() => null, (thrown: unknown) => thrown)
    t.ok(error instanceof Error, url)
    t.notMatch(error instanceof Error ? `${error.message} ${String(error.cause)}` : '', /hunter2/)
  }
})
