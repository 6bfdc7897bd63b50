import { setImmediate as immediate } from 'node:timers/promises'
import t, { test } from 'tap'
import type { KeyStore } from '../../../src/core/ports.ts'
import { needs } from '../../support/services/needs.ts'
import { startPostgres } from '../../support/services/postgres.ts'
import { claimed, completion, request } from '../../contract/situation.ts'
import { openedStore, refusal, until } from './opened.ts'

needs(t, 'postgres')

/** The service is back within two seconds of its server; twice that on a machine that runs other tests, too. */
const BACK_MS = 4000

async function backAfter(store: KeyStore, key: string): Promise<number> {
  const from = performance.now()
  let holder = 0
  await until(() => store.claim(request(key, String(holder++))).then(({ kind }) => kind === 'claimed' || kind === 'busy', () => false))
  return performance.now() - from
}

test('a server that is killed is missed at once, and its return is noticed without a restart', async (t) => {
  const server = await startPostgres(t)
  const store = await openedStore(t, await server.createDatabase())
  const claim = await claimed(store, request('a', '1'))
  await server.kill()
  await until(() => store.claim(request('b', '1')).then(() => false, () => true))
  const from = performance.now()
  t.equal((await refusal(store.complete(claim, completion('done')))).written, 'no', 'nothing has left')
  t.ok(performance.now() - from < 2500, 'and nobody waits for a deadline, which is 5 s')
  await server.restart()
  t.ok(await backAfter(store, 'c') < BACK_MS)
  t.equal(await store.complete(claim, completion('done')), 'written')
})

test('a server that hangs is unknown by the deadline, and its return is noticed', async (t) => {
  const server = await startPostgres(t)
  const store = await openedStore(t, await server.createDatabase(), { deadlineMs: 500 })
  const claim = await claimed(store, request('a', '1'))
  // one that is only just being made would not be paused with the others
  await until(async () => (await server.query("select from pg_stat_activity where application_name = 'onceward' and state = 'idle'")).length === 2)
  server.pause()
  t.equal((await refusal(store.complete(claim, completion('done')))).written, 'unknown')
  await refusal(store.claim(request('b', '1')))
  server.resume()
  t.ok(await backAfter(store, 'c') < BACK_MS)
  t.equal(await store.complete(claim, completion('done')), 'written')
})

test('a primary is lost, its synchronous standby promoted: no acknowledged key is lost, and the URL leads on', async (t) => {
  const primary = await startPostgres(t)
  const database = await primary.createDatabase()
  const standby = await primary.standby(t, 'second')
  await primary.query("alter system set synchronous_standby_names = 'second'")
  await primary.query('select pg_reload_conf()')
  await until(async () => (await primary.query("select from pg_stat_replication where sync_state = 'sync'")).length === 1)
  const { username, pathname } = new URL(database)
  const store = await openedStore(t, `postgres://${username}@127.0.0.1:${standby.port},127.0.0.1:${primary.port}${pathname}?target_session_attrs=read-write`)
  const acknowledged: string[] = []
  const ending = new AbortController()
  const working = Array.from({ length: 8 }, async (_, worker) => {
    for (let n = 0; !ending.signal.aborted; n += 1) {
      await immediate() // while there is no server, refusals come without any turn of the loop
      const wish = request(`${worker}-${n}`, '1')
      const outcome = await store.claim(wish).catch(() => null)
      if (outcome?.kind !== 'claimed') continue
      if (await store.complete(outcome.claim, completion(wish.id)).catch(() => null) === 'written') acknowledged.push(wish.id)
    }
  })
  await until(() => Promise.resolve(acknowledged.length > 200))
  await primary.kill()
  await standby.promote()
  await until(() => store.claim(request('after', '1')).then(({ kind }) => kind === 'claimed', () => false))
  ending.abort()
  await Promise.all(working)
  let missing = 0
  for (const id of acknowledged) if ((await store.find({ id }, 1))[0]?.state !== 'completed') missing += 1
  t.equal(missing, 0, `of ${acknowledged.length}`)
})
