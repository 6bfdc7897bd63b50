import t, { test } from 'tap'
import { serverBehind } from '../support/server-behind.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'
import { startForTest } from '../support/start-sidecar.ts'
import { connected } from '../store/postgres/opened.ts'

needs(t, 'postgres', 'redis')

test('stored replies are sealed in Postgres and in Redis, and open at another sidecar that has the key', async (t) => {
  const upstream = await serverBehind(t, (response) => response.setHeader('x-account', 'account 4711').end('balance 100'))
  const redis = await startRedis(t)
  const url = await postgresUrl()
  const secret = Buffer.alloc(32, 9).toString('base64')
  const yaml = (keys: string): string => `store: { postgres: "${url}", redis: "${redis.url}"${keys} }\ndefaults: { idempotency: { anonymous: share } }`
  const sealing = `, sealing: { keys: [{ id: k1, secret: ${secret} }] }`
  const one = await startForTest(t, upstream.origin, { yaml: yaml(sealing) })
  while (await one.metric('onceward_redis_fill_circuit_open') > 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  t.match(await one.post('k1'), { status: 200, body: 'balance 100' })
  for (let n = 0; await one.metric('onceward_reply_cache_fills_total{result="stored"}') < 1; n += 1) await one.post(`another-${n}`)
  const executed = upstream.requests.length

  const admin = await connected(t, url)
  const { rows: [row] } = await admin.query<{ all: string }>("select headers || trailers || encode(body, 'escape') as all from onceward.key_record limit 1")
  const cached = await redis.command('GET', (await redis.command('KEYS', 'onceward:reply:*')).split(' ')[0] ?? '')
  for (const stored of [row?.all ?? '', cached]) {
    t.ok(stored.length > 20)
    t.notMatch(stored, /balance 100|account 4711/)
  }
  const other = await startForTest(t, upstream.origin, { yaml: yaml(sealing) })
  t.match(await other.post('k1'), { body: 'balance 100', headers: { 'x-account': 'account 4711', 'idempotent-replayed': 'true' } })
  const without = await startForTest(t, upstream.origin, { yaml: yaml('') })
  t.match(await without.post('k1'), { status: 503, problem: 'store-unavailable' })
  t.equal(upstream.requests.length, executed)
})
