import t, { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { startRedis } from '../support/services/redis.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'

needs(t, 'redis')

const KEYS = 30
const RETRIES = 60

async function isSharing(sidecar: Running): Promise<void> {
  while (!sidecar.log().includes('budget.shared')) await new Promise((resolve) => { setTimeout(resolve, 10) })
}

test('two sidecars with one budget in Redis send no more retries than one would', async (on) => {
  const redis = await startRedis(on)
  const upstream = await scriptedUpstream(on, ({ socket }) => respond(socket, 429, 'no'))
  const yaml = `store: { redis: "${redis.url}" }\ndefaults: { retry: { base: 2ms } }\nbudgets: { default: { ratio: 0, min_per_second: 1, window: 60s, shared: true } }`
  const sidecars = [await startForTest(on, upstream.origin, { yaml }), await startForTest(on, upstream.origin, { yaml })]
  for (const sidecar of sidecars) await isSharing(sidecar)
  for (let i = 0; i < KEYS; i += 1) await Promise.all(sidecars.map((sidecar) => sidecar.post(`k${i}`)))
  const retries = upstream.requests.length - KEYS * sidecars.length
  on.ok(retries <= RETRIES, `${retries} of ${RETRIES}`)
  on.ok(retries >= RETRIES / 2, `${retries}: they got most of it`)
  await redis.kill()
  on.match(await sidecars[0]?.post('later'), { status: 429 }, 'without Redis requests go on')
})
