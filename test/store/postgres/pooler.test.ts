import t, { test } from 'tap'
import { claimed, completion, request } from '../../contract/situation.ts'
import { needs } from '../../support/services/needs.ts'
import { startPgBouncer } from '../../support/services/pgbouncer.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { connected, openedStore, refusal, until } from './opened.ts'

needs(t, 'postgres', 'pgbouncer')

test('a pooler that is killed and comes back is used again, and its server was never left in doubt', async (t) => {
  const pooler = await startPgBouncer(t, await postgresUrl())
  const store = await openedStore(t, pooler.url, { prepare: false })
  const claim = await claimed(store, request('a', '1'))
  await pooler.kill()
  await refusal(store.complete(claim, completion('done')))
  await pooler.restart()
  await until(() => store.complete(claim, completion('done')).then((written) => written === 'written', () => false))
  t.match(await store.claim(request('a', '2')), { kind: 'replay' })
})

test('a pooler with fewer connections than we have waits for one, and leaves no setting of ours behind', async (t) => {
  const url = await postgresUrl()
  const pooler = await startPgBouncer(t, url, { default_pool_size: 1 })
  const stores = [await openedStore(t, pooler.url, { prepare: false, connections: 8 }), await openedStore(t, pooler.url, { prepare: false, connections: 8 })]
  await Promise.all(Array.from({ length: 200 }, async (_, n) => {
    const outcomes = await Promise.all(stores.map((store) => store.claim(request(String(n), `${stores.indexOf(store)}`))))
    t.equal(outcomes.filter(({ kind }) => kind === 'claimed').length, 1)
  }))
  const other = await connected(t, pooler.url)
  t.match(await other.query("select current_setting('enable_seqscan') as seqscan, current_setting('lock_timeout') as locks"), { rows: [{ seqscan: 'on', locks: '0' }] })
})

test('a server that the pooler loses in mid-statement is unknown, and asked again', async (t) => {
  const url = await postgresUrl()
  const pooler = await startPgBouncer(t, url)
  const store = await openedStore(t, pooler.url, { prepare: false })
  const claim = await claimed(store, request('a', '1'))
  const other = await connected(t, url)
  await other.query('begin')
  await other.query('update onceward.key_record set attempts = attempts')
  const written = store.complete(claim, completion('done'))
  await until(async () => (await other.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rows.length > 0)
  await other.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
  await other.query('rollback')
  t.equal(await written, 'written')
})
