import t, { test } from 'tap'
import { systemClock } from '../../src/host/clock.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl, startPostgres } from '../support/services/postgres.ts'
import { answeringByPath, charge, countsOf, PASSED, sendAll, shadowed, TRAFFIC } from '../support/shadow-cases.ts'
import { startForTest } from '../support/start-sidecar.ts'

needs(t, 'postgres')

const on = (url: string, mode: 'enforce' | 'shadow'): string => `limits: { request_body: 1MiB }\nstore: { postgres: { url: "${url}", deadline: 1s, durability: none } }\n${charge(mode)}`

test('what enforcement did with a script of requests is what shadow mode counts, on one database', async (t) => {
  const url = await postgresUrl()
  const [strict, lenient] = [await answeringByPath(t), await answeringByPath(t)]
  const looking = await startForTest(t, lenient.origin, { yaml: on(url, 'shadow') })
  t.strictSame(await sendAll(looking), PASSED)
  t.equal(lenient.requests.length, TRAFFIC.length)
  const would = await shadowed(looking, TRAFFIC.length)
  const enforcing = await startForTest(t, strict.origin, { yaml: on(url, 'enforce') })
  await sendAll(enforcing)
  t.strictSame(would, await countsOf(enforcing, 'idempotency_key_total', 'charge'), 'and none of the keys was known to enforcement')
})

test('two sidecars on one database see each other\'s keys', async (t) => {
  const url = await postgresUrl()
  const upstream = await answeringByPath(t)
  const [one, other] = [await startForTest(t, upstream.origin, { yaml: on(url, 'shadow') }), await startForTest(t, upstream.origin, { yaml: on(url, 'shadow') })]
  await one.post('shared-1')
  await one.post('shared-2')
  await shadowed(one, 2)
  // what the first one's ends are written by: the batch of a third request goes behind them
  await one.post('shared-3')
  await shadowed(one, 3)
  await other.post('shared-1')
  await other.post('shared-2', { body: 'other' })
  t.strictSame(await shadowed(other, 2), { replay: 1, mismatch: 1 })
})

test('Postgres stands still: no request is slower or refused, what is not looked up counts as unknown, and it recovers', async (t) => {
  const server = await startPostgres(t)
  const upstream = await answeringByPath(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: on(await server.createDatabase(), 'shadow') })
  await sidecar.post('before')
  await shadowed(sidecar, 1)
  await sidecar.post('settled')
  await shadowed(sidecar, 2)
  const clock = systemClock()
  server.pause()
  const began = clock.monotonicMs()
  for (let n = 0; n < 100; n += 1) t.equal((await sidecar.post(`k${n}`)).status, 200)
  // one call of the store would have taken its whole deadline of a second
  t.ok(clock.monotonicMs() - began < 20_000, `100 requests took ${Math.round(clock.monotonicMs() - began)} ms`)
  t.match(await shadowed(sidecar, 102), { new: 2, unknown: 100 })
  server.resume()
  let replays = 0
  for (let asked = 0; asked < 500 && replays === 0; asked += 1) {
    t.equal((await sidecar.post('before')).status, 200)
    replays = (await countsOf(sidecar, 'onceward_shadow_total', 'charge'))['replay'] ?? 0
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  t.ok(replays > 0, 'what was noted before is known after')
  t.equal((await sidecar.post('after')).status, 200)
})

test('Postgres is killed and comes back', async (t) => {
  const server = await startPostgres(t)
  const upstream = await answeringByPath(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: on(await server.createDatabase(), 'shadow') })
  await sidecar.post('before')
  await shadowed(sidecar, 1)
  await server.kill()
  for (let n = 0; n < 20; n += 1) t.equal((await sidecar.post(`k${n}`)).status, 200)
  t.match(await shadowed(sidecar, 21), { new: 1, unknown: 20 })
  await server.restart()
  let known = 0
  for (let asked = 0; asked < 500 && known === 0; asked += 1) {
    t.equal((await sidecar.post('before')).status, 200)
    const { replay = 0, new: fresh = 0 } = await countsOf(sidecar, 'onceward_shadow_total', 'charge')
    known = replay + fresh - 1
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  t.ok(known > 0)
})
