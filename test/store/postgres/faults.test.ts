import t, { test } from 'tap'
import type { KeyStore } from '../../../src/core/ports.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl, startPostgres } from '../../support/services/postgres.ts'
import { claimed, completion, event, request } from '../../contract/situation.ts'
import { cancelWaits, connected, openedStore, refusal, until, waitFor } from './opened.ts'

needs(t, 'postgres')

const LOCKED = "update onceward.key_record set attempts = attempts where id = decode($1, 'hex')"
const hex = (id: string): string => Buffer.from(id, 'base64url').toString('hex')

test('a statement that is not answered by the deadline is unknown, and asked again it is answered', async (t) => {
  const url = await postgresUrl()
  const store = await openedStore(t, url, { deadlineMs: 300 })
  const claim = await claimed(store, request('a', '1'))
  const other = await connected(t, url)
  await other.query('begin')
  await other.query(LOCKED, [hex(claim.id)])
  t.equal((await refusal(store.complete(claim, completion('done', [event('e')])))).written, 'unknown')
  await other.query('rollback')
  t.equal(await store.complete(claim, completion('done again', [event('e2')])), 'written')
  const { rows } = await other.query<{ id: string }>('select id from onceward.outbox_event')
  t.equal(rows.length, 1, 'one of the two was the first, and there is no second')
})

test('a connection that is killed in mid-statement is unknown, and asked again within the deadline', async (t) => {
  const url = await postgresUrl()
  const store = await openedStore(t, url)
  const claim = await claimed(store, request('a', '1'))
  const other = await connected(t, url)
  await other.query('begin')
  await other.query(LOCKED, [hex(claim.id)])
  const written = store.complete(claim, completion('done', [event('e')]))
  await until(async () => (await other.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rows.length > 0)
  await other.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'onceward'")
  await other.query('rollback')
  t.equal(await written, 'written')
  t.equal((await other.query('select from onceward.outbox_event')).rows.length, 1)
})

test('what a deadlock has rolled back is tried again', async (t) => {
  const url = await postgresUrl()
  const store = await openedStore(t, url)
  const [a, b] = [await claimed(store, request('a', '1')), await claimed(store, request('b', '1'))]
  const other = await connected(t, url)
  await other.query("set deadlock_timeout = '10s'") // so that the store's backend is the one that finds it
  await other.query('begin')
  await other.query(LOCKED, [hex(b.id)])
  const written = Promise.all([store.complete(a, completion('a')), store.complete(b, completion('b'))])
  const watcher = await connected(t, url)
  await until(async () => (await watcher.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rows.length > 0)
  await other.query(LOCKED, [hex(a.id)])
  await other.query('commit')
  t.strictSame(await written, ['written', 'written'])
})

test('two processes that fight over the same keys never stand in a deadlock', async (t) => {
  const url = await postgresUrl()
  const stores = [await openedStore(t, url, { connections: 8 }), await openedStore(t, url, { connections: 8 })]
  const keys = Array.from({ length: 60 }, (_, n) => `key-${n}`)
  const fight = async (store: KeyStore, side: number, key: string, round: number): Promise<void> => {
    const outcome = await store.claim(request(key, `${side}-${round}`, { leaseMs: round % 3, onOrphan: { kind: 'take', withinMs: 3_600_000 } }))
    if (outcome.kind !== 'claimed') return
    if (round % 2 === 0) await Promise.all([store.renew([{ claim: outcome.claim, leaseMs: 1 }]), store.abandon(outcome.claim, 'deadline', 1)])
    else await Promise.all([store.renew([{ claim: outcome.claim, leaseMs: 1 }]), store.release(outcome.claim)])
  }
  for (let round = 0; round < 20; round += 1) {
    const order = round % 2 === 0 ? keys : keys.toReversed()
    await Promise.all(stores.flatMap((store, side) => (side === 0 ? order : order.toReversed()).map((key) => fight(store, side, key, round))))
    await Promise.all(stores.map((store) => store.reap(10)))
  }
  await Promise.all(stores.map((store) => store.close()))
  const { rows } = await (await connected(t, url)).query<{ deadlocks: string }>('select deadlocks from pg_stat_database where datname = current_database()')
  t.equal(Number(rows[0]?.deadlocks), 0)
})

test('a row that somebody keeps locked fails alone: its neighbours are answered, and nothing of it was written', async (t) => {
  const url = await postgresUrl()
  const store = await openedStore(t, url, { deadlineMs: 10_000 })
  const claims = await Promise.all(['a', 'b', 'c', 'd'].map((name) => claimed(store, request(name, '1'))))
  const [, locked] = claims
  if (locked === undefined) throw new Error('four claims')
  const other = await connected(t, url)
  await other.query('begin')
  await other.query(LOCKED, [hex(locked.id)])
  const written = await Promise.all(claims.map((claim) => store.complete(claim, completion('done')).catch((error: unknown) => error)))
  t.match(written, ['written', { written: 'no' }, 'written', 'written'])
  await other.query('rollback')
  t.equal(await store.complete(locked, completion('done')), 'written')
})

test('serialization failures are tried again', async (t) => {
  const url = await postgresUrl()
  const admin = await connected(t, url)
  await admin.query(`alter database ${new URL(url).pathname.slice(1)} set default_transaction_isolation = 'serializable'`)
  const store = await openedStore(t, url, { connections: 8 })
  const other = await openedStore(t, url, { connections: 8 })
  await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const outcomes = await Promise.all([store.claim(request(String(n), '1')), other.claim(request(String(n), '2'))])
    t.equal(outcomes.filter(({ kind }) => kind === 'claimed').length, 1)
    for (const outcome of outcomes) if (outcome.kind === 'claimed') t.equal(await store.complete(outcome.claim, completion('done')), 'written')
  }))
})

test('a commit whose wait for the standby was cancelled is not durable, whatever its result says', async (t) => {
  const server = await startPostgres(t)
  const url = await server.createDatabase()
  const store = await openedStore(t, url, { deadlineMs: 1500 })
  const admin = await connected(t, server.url)
  await waitFor(admin, 'absent')
  const wish = request('a', '1')
  const claim = store.claim(wish)
  const over = new AbortController()
  void claim.catch(() => undefined).finally(() => over.abort())
  const cancelling = cancelWaits(admin, over.signal)
  t.equal((await refusal(claim)).written, 'unknown')
  t.ok(await cancelling >= 1)
  await waitFor(admin, '')
  await until(() => store.claim(wish).then(({ kind }) => kind === 'claimed', () => false))
})

test('a server that has become read-only is left, and used again when it takes writes', async (t) => {
  const server = await startPostgres(t)
  const url = await server.createDatabase()
  const store = await openedStore(t, url)
  await claimed(store, request('a', '1'))
  const admin = await connected(t, server.url)
  await admin.query('alter system set default_transaction_read_only = on')
  await admin.query('select pg_reload_conf()')
  await until(() => store.claim(request('b', '1')).then(() => false, () => true))
  t.equal((await refusal(store.claim(request('c', '1')))).written, 'no')
  await admin.query('set default_transaction_read_only = off')
  await admin.query('alter system reset default_transaction_read_only')
  await admin.query('select pg_reload_conf()')
  await until(() => store.claim(request('d', '1')).then(({ kind }) => kind === 'claimed', () => false))
})
