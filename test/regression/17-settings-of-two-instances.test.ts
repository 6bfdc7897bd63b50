import { test } from 'tap'
import { scriptedUpstream, respond } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('two sidecars and two routes in one process each keep their own settings', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => request.includes('/lost') ? socket.resetAndDestroy() : respond(socket, 200, 'x'.repeat(50)))
  const text = (status: 504 | 409, kept: string): string => `
limits: { kept_reply: ${kept} }
routes:
  - { name: short, match: { path: /short/* }, idempotency: { retention: 1h } }
  - { name: long, match: { path: /long/* }, idempotency: { retention: 48h } }
defaults: { idempotency: { unknown_status: ${status} } }`
  const [one, other] = [await startForTest(t, upstream.origin, { yaml: text(504, '10B') }), await startForTest(t, upstream.origin, { yaml: text(409, '10KiB') })]
  t.equal((await one.post('lost', { path: '/lost' })).status, 504)
  t.equal((await other.post('lost', { path: '/lost' })).status, 409)
  for (const sidecar of [one, other]) await sidecar.post('k1')
  t.match(await one.post('k1'), { status: 409, problem: 'reply-not-kept' })
  t.match(await other.post('k1'), { status: 200, headers: { 'idempotent-replayed': 'true' } })
  for (const sidecar of [one, other]) {
    const ttl = async (path: string): Promise<number> => Number((await sidecar.post(path, { path: `/${path}/x` })).headers['idempotency-ttl'])
    t.ok(Math.abs(await ttl('short') - 3600) <= 5)
    t.ok(Math.abs(await ttl('long') - 48 * 3600) <= 5)
  }
})
