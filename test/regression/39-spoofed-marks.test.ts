import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a client that says its request is a replay is not believed, and neither is anybody behind told so', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const headers = ['Authorization', 'Bearer one', 'Idempotent-Replayed', 'true', 'Idempotency-Unprotected', 'true', 'Proxy-Status', 'onceward; error=x', 'X-Envoy-Max-Retries', '5', 'l5d-retry-http', '5xx']
  const first = await sidecar.post('k1', { headers })
  t.match(first, { status: 200, body: 'ok' })
  t.equal(first.headers['idempotent-replayed'], undefined)
  t.equal(first.headers['idempotency-unprotected'], undefined)
  t.notMatch(upstream.requests[0], /idempotent-replayed|idempotency-unprotected/i)
  t.equal((await sidecar.post('k1', { headers })).headers['idempotent-replayed'], 'true')
  t.equal(upstream.requests.length, 1, 'and fields that tell other proxies to repeat tell us nothing')
})
