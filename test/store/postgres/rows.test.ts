import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { claimed, completion, event, request } from '../../contract/situation.ts'
import type { KeyStore } from '../../../src/core/ports.ts'
import { openPostgresStore } from '../../../src/store/postgres/key-store.ts'
import { connected, openedStore, refusal, storeOptions, until } from './opened.ts'

needs(t, 'postgres')

test('a claim that no table takes fails alone among its neighbours', async (t) => {
  const store = await openedStore(t, await postgresUrl())
  const neighbours = ['a', 'b', 'c', 'd'].map((name) => store.claim(request(name, '1')))
  const bad = refusal(store.claim(request('bad', '1', { id: 'not an id' })))
  const more = ['e', 'f'].map((name) => store.claim(request(name, '1')))
  for (const outcome of await Promise.all([...neighbours, ...more])) t.match(outcome, { kind: 'claimed' })
  const { written, message } = await bad
  t.equal(written, 'no')
  t.match(message, /^23514 \(/)
})

test('a completion whose event cannot be stored fails alone, and repeats nothing of it', async (t) => {
  const url = await postgresUrl()
  const store = await openedStore(t, url)
  const claims = await Promise.all(['a', 'b', 'c'].map((name) => claimed(store, request(name, '1'))))
  const written = claims.map((claim, n) => store.complete(claim, completion('done', [event(n === 1 ? 'secret\0id' : `e${n}`)])))
  t.equal(await written[0], 'written')
  const failed = await refusal(written[1] ?? Promise.resolve())
  t.equal(failed.written, 'no')
  t.notMatch(failed.message, /secret/)
  t.equal(await written[2], 'written')
  const client = await connected(t, url)
  const { rows } = await client.query<{ id: string }>('select id from onceward.outbox_event order by id')
  t.strictSame(rows.map(({ id }) => id), ['e0', 'e2'])
})

test('the columns of a row fit its state, whoever writes them', async (t) => {
  const url = await postgresUrl()
  const store = await openedStore(t, url)
  await claimed(store, request('a', '1'))
  const client = await connected(t, url)
  for (const change of ["state = 'completed'", 'lease_until = null', "state = 'uncertain'", 'status = 200', "since = 1, cause = 'deadline'", "headers = '[]'", "id = decode(repeat('00', 32), 'hex')", "id = 'short'"]) {
    await t.rejects(client.query(`update onceward.key_record set ${change}`), { code: '23514' }, change)
  }
})

test('a row that is no record any more is an outage, and no answer', async (t) => {
  const url = await postgresUrl()
  const store = await openedStore(t, url)
  const claim = await claimed(store, request('a', '1'))
  await store.complete(claim, completion('done'))
  const client = await connected(t, url)
  for (const headers of ['no JSON', '{"a":1}', '[1]']) {
    await client.query('update onceward.key_record set headers = $1', [headers])
    t.equal((await refusal(store.claim(request('a', '2')))).written, 'no', headers)
  }
})

test('completing a claim stays in its page: no index grows a second time', async (t) => {
  const url = await postgresUrl()
  const store = await openPostgresStore(storeOptions(url))
  const claims = await Promise.all(Array.from({ length: 200 }, (_, n) => claimed(store, request(String(n), '1'))))
  for (const claim of claims) await store.complete(claim, completion('a reply of the usual kind, with some more text in it'))
  await store.close() // its backends report what they did when they end
  const client = await connected(t, url)
  const updates = async () => (await client.query<{ all: string, hot: string }>("select n_tup_upd as all, n_tup_hot_upd as hot from pg_stat_user_tables where relname = 'key_record'")).rows[0]
  await until(async () => Number((await updates())?.all) === 200)
  const share = Number((await updates())?.hot) / 200
  t.ok(share >= 0.95, `${share} of the updates`)
})

test('plans that were made while the tables were as good as empty read no more when they have grown', async (t) => {
  const url = await postgresUrl()
  const client = await connected(t, url)
  const runThrough = async (store: KeyStore, name: string, count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) await store.complete(await claimed(store, request(`${name}-${n}`, '1')), completion('done'))
  }
  const first = await openPostgresStore(storeOptions(url))
  await runThrough(first, 'first', 20)
  await first.close()
  for (const table of ['key_record', 'unsettled']) await client.query(`vacuum (analyze, truncate off) onceward.${table}`) // pages, and hardly a row
  const store = await openPostgresStore(storeOptions(url))
  await runThrough(store, 'planned', 1)
  const doubtful = await Promise.all(Array.from({ length: 1000 }, (_, n) => claimed(store, request(`doubt-${n}`, '1'))))
  await Promise.all(doubtful.map((claim) => store.abandon(claim, 'deadline', 1)))
  await runThrough(store, 'later', 100)
  await store.close()
  const read = async () => (await client.query<{ table: string, read: string }>("select relname as table, idx_tup_read as read from pg_stat_user_indexes where indexrelname in ('key_record_pkey', 'unsettled_pkey')")).rows
  await until(async () => (await read()).every((row) => Number(row.read) > 1000))
  for (const row of await read()) t.ok(Number(row.read) < 20_000, `${row.table}: ${row.read} entries for 2242 operations`)
})

test('the sweep passes over what somebody else has locked, and waits for nobody', async (t) => {
  const url = await postgresUrl()
  let now = 1_800_000_000_000
  const store = await openedStore(t, url, { now: () => now })
  const claims = await Promise.all(['a', 'b', 'c'].map((name) => claimed(store, request(name, '1'))))
  for (const claim of claims) await store.complete(claim, completion('done'))
  now += 1_000_000_000_000
  const other = await connected(t, url)
  await other.query('begin')
  await other.query("select from onceward.key_record where id = decode($1, 'hex') for update", [Buffer.from(claims[0]?.id ?? '', 'base64url').toString('hex')])
  t.strictSame(await store.sweep(10), { deleted: 2 })
  await other.query('rollback')
  t.strictSame(await store.sweep(10), { deleted: 1 })
})
