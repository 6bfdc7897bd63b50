import t, { test } from 'tap'
import { countingUpstream } from '../support/counting-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'
import { startForTest } from '../support/start-sidecar.ts'

needs(t, 'postgres', 'redis')

test('no key of ours in Redis is ever without an expiry, because it is written together with it', async (t) => {
  const redis = await startRedis(t)
  const upstream = await countingUpstream(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: `store: { postgres: "${await postgresUrl()}", redis: "${redis.url}" }` })
  while (await sidecar.metric('onceward_redis_fill_circuit_open') > 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  // on a busy machine some are dropped, because Redis is left alone for a while
  for (let n = 0; await sidecar.metric('onceward_reply_cache_fills_total{result="stored"}') < 20; n += 1) await sidecar.post(`key-${n}`)
  const keys = (await redis.command('KEYS', '*')).split(' ').filter((key) => key !== '')
  t.ok(keys.length >= 20)
  for (const key of keys) t.not(await redis.command('PTTL', key), '-1', `${key} ends`)
  const commands = await redis.command('INFO', 'commandstats')
  t.match(commands, /cmdstat_set:/)
  t.notMatch(commands, /cmdstat_(?:p?expire|persist|setnx)\b/, 'there is no second step')
})
