import t, { test } from 'tap'
import { countingUpstream } from '../support/counting-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { info, startSentinels } from '../support/services/redis.ts'
import { startForTest } from '../support/start-sidecar.ts'

needs(t, 'postgres', 'redis')

/** A master that is stopped takes with it what it had not told its replica: thousands of acknowledged writes, once measured. */
test('a failover of Redis, and the old master that comes back, let no key run again and no client wait for it', async (t) => {
  const { sentinels, masterName, master, replica } = await startSentinels(t)
  const upstream = await countingUpstream(t)
  const yaml = `store: { postgres: "${await postgresUrl()}", redis: "redis+sentinel://${sentinels.join(',')}/${masterName}" }`
  const sidecars = [await startForTest(t, upstream.origin, { yaml }), await startForTest(t, upstream.origin, { yaml })] as const
  const told = new Map<string, string>()
  const over = new AbortController()
  let troubled = 0
  const load = Promise.all(Array.from({ length: 4 }, async (_, client) => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      const key = `key-${client}-${n}`
      for (const sidecar of [...sidecars, ...sidecars]) {
        const { status, body } = await sidecar.post(key)
        if (status !== 200) troubled += 1
        else if ((told.get(key) ?? body) !== body) troubled += 1
        else told.set(key, body)
      }
    }
  }))
  while (told.size < 50) await new Promise((resolve) => { setTimeout(resolve, 20) })
  master.pause()
  while (!(await info(replica, 'replication')).includes('role:master')) await new Promise((resolve) => { setTimeout(resolve, 50) })
  master.resume()
  const before = told.size
  while (told.size < before + 50) await new Promise((resolve) => { setTimeout(resolve, 20) })
  over.abort()
  await load
  t.equal(troubled, 0, 'nobody was told anything but the one answer')
  t.equal(upstream.executions(), told.size)
  t.equal(upstream.doubles(), 0)
  for (const [key, body] of told) {
    for (const sidecar of sidecars) if ((await sidecar.post(key)).body !== body) t.fail(`${key} has another answer`)
  }
})
