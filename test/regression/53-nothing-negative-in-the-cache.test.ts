import t, { test } from 'tap'
import { heldUpstream } from '../support/held-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'
import { startForTest } from '../support/start-sidecar.ts'

needs(t, 'postgres', 'redis')

test('that a key was new, or in flight, is remembered nowhere: once it is completed all get its answer', async (t) => {
  const redis = await startRedis(t)
  const upstream = await heldUpstream(t)
  const yaml = `store: { postgres: "${await postgresUrl()}", redis: "${redis.url}" }`
  const [one, other] = [await startForTest(t, upstream.origin, { yaml }), await startForTest(t, upstream.origin, { yaml })]
  for (const sidecar of [one, other]) while (await sidecar.metric('onceward_redis_circuit_open') > 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  const first = one.post('k1')
  await upstream.arrived(1)
  for (let n = 0; n < 5; n += 1) t.match(await other.post('k1'), { status: 409, problem: 'in-flight' })
  t.equal(await redis.command('KEYS', 'onceward:reply:*'), '', 'Redis knows nothing of a key that is not completed')
  upstream.letGo()
  t.match(await first, { status: 200, body: 'n1' })
  for (const sidecar of [other, one, other]) t.match(await sidecar.post('k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})

test('replies that Redis evicts when its memory is full cost a look-up and no second execution', async (t) => {
  const redis = await startRedis(t, { 'maxmemory': '3mb', 'maxmemory-policy': 'allkeys-lru' })
  const upstream = await heldUpstream(t)
  upstream.letGo()
  const yaml = `store: { postgres: "${await postgresUrl()}", redis: "${redis.url}" }`
  const [one, other] = [await startForTest(t, upstream.origin, { yaml }), await startForTest(t, upstream.origin, { yaml })]
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')
  for (const sidecar of [one, other]) {
    for (let n = 0; n < 50; n += 1) t.match(await sidecar.post(`key-${n}`), { status: 200, body: `n${n + 1}` })
  }
  t.equal(upstream.requests.length, 50)
})
