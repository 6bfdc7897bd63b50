import t, { test } from 'tap'
import { countingUpstream } from '../support/counting-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { startPgBouncer } from '../support/services/pgbouncer.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { startForTest } from '../support/start-sidecar.ts'

needs(t, 'postgres', 'pgbouncer')

test('behind a pooler that gives two connections to eight, each key runs once and waiters of another process get the answer', async (t) => {
  const { url } = await startPgBouncer(t, await postgresUrl(), { default_pool_size: 2 })
  const upstream = await countingUpstream(t, 20)
  const yaml = `store: { postgres: { url: "${url}", prepare: false } }\ndefaults: { idempotency: { in_flight: { wait: 20s } } }`
  const sidecars = [await startForTest(t, upstream.origin, { yaml }), await startForTest(t, upstream.origin, { yaml })]
  const keys = Array.from({ length: 100 }, (_, n) => `key-${n}`)
  await Promise.all(keys.map(async (key) => {
    const answers = await Promise.all([...sidecars, ...sidecars].map((sidecar) => sidecar.post(key)))
    t.strictSame(answers.map(({ status }) => status), [200, 200, 200, 200])
    t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  }))
  t.equal(upstream.executions(), keys.length)
})

test('a pooler that restarts is an outage like another, and no key runs twice', async (t) => {
  const pooler = await startPgBouncer(t, await postgresUrl())
  const upstream = await countingUpstream(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: `store: { postgres: { url: "${pooler.url}", prepare: false, deadline: 1s } }` })
  const keys = Array.from({ length: 200 }, (_, n) => `key-${n}`)
  const told = new Map<string, string>()
  const load = Promise.all(Array.from({ length: 8 }, async (_, client) => {
    for (const key of keys.filter((_key, n) => n % 8 === client)) {
      for (;;) {
        const { status, body, problem } = await sidecar.post(key)
        if (status === 200 || problem === 'outcome-unknown') {
          told.set(key, problem ?? body)
          break
        }
        await new Promise((resolve) => { setTimeout(resolve, 20) })
      }
    }
  }))
  await upstream.began(50)
  await pooler.restart()
  await load
  for (const key of keys) t.equal((await sidecar.post(key)).body.includes(told.get(key) ?? 'nothing'), true, key)
  t.equal(upstream.doubles(), 0)
})
