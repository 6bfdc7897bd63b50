import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('what is added and taken off on the way upstream is no part of the fingerprint', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { fingerprint: { headers: [via, connection, expect, te, content-length] } } }' })
  const headers = ['Authorization', 'Bearer one', 'Via', '1.1 edge']
  t.match(await sidecar.post('k1', { headers }), { status: 200 })
  for (let i = 0; i < 2; i += 1) t.match(await sidecar.post('k1', { headers }), { status: 200, headers: { 'idempotent-replayed': 'true' } })
  t.match(await sidecar.post('k1', { headers: ['Authorization', 'Bearer one', 'Via', '1.1 other'] }), { status: 422 }, 'while what the client sent counts')
  t.equal(upstream.requests.length, 1)
})

test('a waiter whose body was let go is answered for the body that it came with', async (t) => {
  let finish: () => void = () => undefined
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((resolve) => { arrived = resolve })
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    finish = () => respond(socket, 200, 'ok')
    arrived()
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { in_flight: { wait: 10s } } }' })
  const body = 'x'.repeat(100_000)
  const first = sidecar.post('k1', { body })
  await seen
  const waiters = [sidecar.post('k1', { body }), sidecar.post('k1', { body: '' }), sidecar.post('k1', { body })]
  t.match(await waiters[1], { status: 422, problem: 'key-reused' }, 'an empty body is not the body of a waiter')
  finish()
  for (const waiter of [first, waiters[0], waiters[2]]) t.match(await waiter, { status: 200, body: 'ok' })
  t.equal(upstream.requests.length, 1)
})
