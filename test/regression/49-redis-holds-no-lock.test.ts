import t, { test } from 'tap'
import { heldUpstream } from '../support/held-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { startRedis } from '../support/services/redis.ts'
import { sharedStore } from '../support/shared-store.ts'
import { startForTest } from '../support/start-sidecar.ts'

needs(t, 'redis')

test('a Redis that forgets everything while a request runs, or is gone, lets nobody run it again', async (t) => {
  const upstream = await heldUpstream(t)
  const server = await startRedis(t)
  const store = sharedStore()
  const yaml = `store: { redis: "${server.url}" }`
  const [one, other] = [await startForTest(t, upstream.origin, { yaml, seams: { store } }), await startForTest(t, upstream.origin, { yaml, seams: { store } })]
  const first = one.post('k1')
  await upstream.arrived(1)
  await server.command('FLUSHALL')
  t.match(await other.post('k1'), { status: 409, problem: 'in-flight' })
  await server.kill()
  t.match(await other.post('k1'), { status: 409, problem: 'in-flight' })
  await server.restart()
  t.match(await other.post('k1'), { status: 409, problem: 'in-flight' })
  upstream.letGo()
  t.match(await first, { status: 200, body: 'n1' })
  t.match(await other.post('k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})
