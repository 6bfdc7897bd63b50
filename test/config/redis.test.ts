import { test } from 'tap'
import { configOf, mistakesIn } from '../support/load-text.ts'

const SECRET = Buffer.alloc(32, 1).toString('base64')

test('a Redis is its URL, or a group with it; from an empty variable there is none', async (t) => {
  t.equal((await configOf('store: {}')).store.redis, null)
  t.equal((await configOf('store: { redis: "${REDIS_URL:-}" }')).store.redis, null)
  t.match((await configOf('store: { redis: "${REDIS_URL:-}" }', {}, { REDIS_URL: 'redis://cache:7000' })).store.redis, {
    target: { kind: 'single', server: { host: 'cache', port: 7000 } }, caFile: null, keepMs: 86_400_000, timeoutMs: 50,
  })
  t.match((await configOf('store: { redis: { url: "redis+cluster://a,b", keep: 30d, timeout: 20ms, ca_file: ca.pem } }')).store.redis, { target: { kind: 'cluster' }, caFile: 'ca.pem', keepMs: 2_592_000_000, timeoutMs: 20 })
})

test('a wrong URL is shown without its password', async (t) => {
  for (const text of ['store: { redis: "redis://app:hunter2@cache/x" }', 'store: { redis: { url: "redis://app:hunter2@cache/x" } }', 'store: { redis: "redis+sentinel://:hunter2@cache" }']) {
    const lines = await mistakesIn(text)
    t.ok(lines.length === 1 && lines[0]?.includes('needed: a Redis as') === true && !lines.join().includes('hunter2'), lines.join())
  }
})

test('sealing keys have different names and 32 bytes; a wrong secret is not shown', async (t) => {
  const config = await configOf(`store: { sealing: { keys: [{ id: k2, secret: "\${NEW}" }, { id: k1, secret: ${SECRET} }] } }`, {}, { NEW: SECRET.replace('=', '') })
  t.strictSame(config.store.sealing.map(({ id, secret }) => [id, secret.length]), [['k2', 32], ['k1', 32]])
  t.match(await mistakesIn(`store: { sealing: { keys: [{ id: k1, secret: ${SECRET} }, { id: k1, secret: ${SECRET} }] } }`), [/keys\[1\].id: found k1; needed: a name that no key before it has/])
  for (const wrong of ['hunter2', `${SECRET}hunter2`]) t.strictSame(await mistakesIn(`store: { sealing: { keys: [{ id: k1, secret: ${wrong} }] } }`), [
    '1:46: store.sealing.keys[0].secret: found a text that is not shown; needed: 32 bytes in base64, as openssl rand -base64 32 makes them',
  ])
})
