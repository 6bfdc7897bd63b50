import t, { test } from 'tap'
import { heldUpstream } from '../support/held-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'

needs(t, 'postgres', 'redis')

const HOUR_MS = 3_600_000

/** A sidecar takes the machine's word for the time at its start; here that word is wrong. */
async function startedAt(offsetMs: number, start: () => Promise<Running>): Promise<Running> {
  const right = Date.now
  Date.now = () => right() + offsetMs
  try {
    return await start()
  } finally {
    Date.now = right
  }
}

test('replicas whose clocks are an hour apart, either way, agree on what is in flight, and on every answer', async (t) => {
  const upstream = await heldUpstream(t)
  const redis = await startRedis(t)
  const yaml = `store: { postgres: "${await postgresUrl()}", redis: "${redis.url}" }\ndefaults: { idempotency: { lease: 60s, retention: 10m } }`
  const right = await startForTest(t, upstream.origin, { yaml })
  const first = right.post('k1')
  await upstream.arrived(1)
  // each looks for leases that ended as soon as it starts
  const late = await startedAt(-HOUR_MS, () => startForTest(t, upstream.origin, { yaml }))
  const early = await startedAt(HOUR_MS, () => startForTest(t, upstream.origin, { yaml }))
  const others = [late, early]
  for (const other of others) t.match(await other.post('k1'), { status: 409, problem: 'in-flight' }, 'the lease of a minute has not ended')
  const theirs = others.map((other, i) => other.post(`k2-${i}`))
  await upstream.arrived(3)
  for (const i of others.keys()) t.match(await right.post(`k2-${i}`), { status: 409, problem: 'in-flight' }, 'nor have theirs, nor do they last longer')
  upstream.letGo()
  t.match(await first, { status: 200, body: 'n1' })
  await Promise.all(theirs)
  for (const sidecar of [right, ...others]) {
    t.match(await sidecar.post('k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
    for (const i of others.keys()) t.match(await sidecar.post(`k2-${i}`), { status: 200, headers: { 'idempotent-replayed': 'true' } }, 'a retention of ten minutes is not over')
  }
  t.equal(upstream.requests.length, 3)
})
