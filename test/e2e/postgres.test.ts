import t, { test } from 'tap'
import { countingUpstream } from '../support/counting-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl, startPostgres, type PostgresServer } from '../support/services/postgres.ts'
import { startForTest, until, type Received } from '../support/start-sidecar.ts'

needs(t, 'postgres')

const onPostgres = (url: string, more = ''): string => `store: { postgres: { url: "${url}", deadline: 1s } }\n${more}`

/** What a client that never gives up is told in the end. */
async function persistently(post: () => Promise<Received>): Promise<Received> {
  return until(() => post().catch(() => ({ status: 0, headers: {}, body: '', problem: 'broken' })), ({ status }) => status === 200)
}

test('two sidecars on one database run each key once, and give everybody the same answer', async (t) => {
  const url = await postgresUrl()
  const upstream = await countingUpstream(t)
  const [one, other] = [await startForTest(t, upstream.origin, { yaml: onPostgres(url) }), await startForTest(t, upstream.origin, { yaml: onPostgres(url) })]
  const keys = Array.from({ length: 200 }, (_, n) => `key-${n}`)
  await Promise.all(keys.map(async (key) => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, client) => persistently(() => (client % 2 === 0 ? one : other).post(key))))
    t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  }))
  t.equal(upstream.executions(), keys.length)
})

test('a sidecar waits for what another one is running, and gives its answer', async (t) => {
  const url = await postgresUrl()
  const upstream = await countingUpstream(t, 300)
  const yaml = onPostgres(url, 'defaults: { idempotency: { in_flight: { wait: 10s } } }')
  const [one, other] = [await startForTest(t, upstream.origin, { yaml }), await startForTest(t, upstream.origin, { yaml })]
  const first = one.post('k1')
  await upstream.began()
  const [mine, theirs] = await Promise.all([first, other.post('k1')])
  t.match([mine, theirs], [{ status: 200 }, { status: 200, body: mine.body, headers: { 'idempotent-replayed': 'true' } }])
  t.equal(upstream.executions(), 1)
})

/** What befalls the server, and its end. */
const OUTAGES: readonly { readonly name: string, readonly befall: (server: PostgresServer) => Promise<unknown>, readonly end: (server: PostgresServer) => Promise<unknown> }[] = [
  { name: 'is killed', befall: (server) => server.kill(), end: (server) => server.restart() },
  { name: 'restarts', befall: (server) => server.restart(), end: () => Promise.resolve() },
  {
    name: 'hangs for three seconds',
    befall: (server) => Promise.resolve(server.pause()),
    end: (server) => new Promise<void>((resolve) => { setTimeout(resolve, 3000) }).then(() => server.resume()),
  },
]

for (const { name, befall, end } of OUTAGES) {
  test(`Postgres ${name} under load: no double execution, no changed answer, and the sidecar goes on`, async (t) => {
    const server = await startPostgres(t)
    const upstream = await countingUpstream(t)
    const sidecar = await startForTest(t, upstream.origin, { yaml: onPostgres(await server.createDatabase()) })
    const keys = Array.from({ length: 400 }, (_, n) => `key-${n}`)
    const answers = new Map<string, string>()
    const clients = Array.from({ length: 16 }, async (_, client) => {
      for (const key of keys.filter((_key, n) => n % 16 === client)) {
        const { body, problem } = await until(() => sidecar.post(key), ({ status, problem: code }) => status === 200 || code === 'outcome-unknown')
        answers.set(key, problem ?? body)
      }
    })
    await upstream.began(100)
    await befall(server)
    if (name !== 'restarts') t.match(await sidecar.post('meanwhile'), { status: 503, problem: 'store-unavailable', headers: { 'retry-after': /\d/ } })
    await end(server)
    const from = performance.now()
    await until(() => sidecar.post('after'), ({ status }) => status === 200)
    const backAfterMs = Math.round(performance.now() - from)
    t.ok(backAfterMs < 4000, `back after ${backAfterMs} ms: two seconds are promised, and the machine may be busy`)
    await Promise.all(clients)
    for (const key of keys) {
      const { body, status } = await sidecar.post(key)
      if (status === 200) t.equal(body, answers.get(key), key)
    }
    t.equal(upstream.doubles(), 0)
    t.comment(`in doubt: ${[...answers.values()].filter((answer) => answer === 'outcome-unknown').length} of ${keys.length}`)
  })
}
