import { request } from 'undici'
import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('what carries no key passes as it is', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`, 'X-A: 1', 'Connection: X-Hop', 'X-Hop: 1'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const first = await sidecar.post(null)
  t.match(first, { status: 200, body: 'n1', headers: { 'x-a': '1' } })
  t.equal(first.headers['x-hop'], undefined)
  t.equal(first.headers['idempotency-ttl'], undefined)
  t.match(await sidecar.post(null), { body: 'n2' }, 'a POST without a key runs every time')
  t.match(await sidecar.post('k1', { method: 'GET', path: '/v1/charges?a=%2F' }), { body: 'n3' })
  t.match(await sidecar.post('k1', { method: 'GET', path: '/v1/charges?a=%2F' }), { body: 'n4' }, 'a GET is never deduplicated by the fallback routes')
  t.match(upstream.requests[2], /^GET \/v1\/charges\?a=%2F HTTP\/1\.1\r\n/)
  t.match(upstream.requests[0], /via: 1\.1 onceward-[\w-]+\r\n/i)
})

test('a GET answered 503 is not repeated behind our back', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 503, 'no', 'Retry-After: 0'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post(null, { method: 'GET' }), { status: 503, body: 'no' })
  t.equal(upstream.requests.length, 1)
})

test('an upstream that is not there is 502, and one that breaks off is 502, never 500', async (t) => {
  const nobody = await startForTest(t, 'http://127.0.0.1:1', { yaml: '{}' })
  t.match(await nobody.post(null), { status: 502, problem: 'upstream-unreachable' })
  t.match(await nobody.post(null, { method: 'GET' }), { status: 502, problem: 'upstream-unreachable' })
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post(null), { status: 502, problem: 'upstream-failed' })
  t.match(await sidecar.post(null, { method: 'GET' }), { status: 502, problem: 'upstream-failed' })
  t.equal(await sidecar.metric('http_request_outcome{class="5xx",method="GET",route="pass-through"}'), 1)
})

test('a reply that breaks off in its middle breaks off here too', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', () => socket.resetAndDestroy()))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  await t.rejects(sidecar.post(null, { method: 'GET' }))
})

test('large bodies stream both ways', async (t) => {
  const megabytes = 8
  const upstream = await scriptedUpstream(t, ({ socket, request: seen }) => respond(socket, 200, 'y'.repeat(seen.length - seen.indexOf('\r\n\r\n') - 4)))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const reply = await request(`${sidecar.address}/upload`, { method: 'PUT', body: Buffer.alloc(megabytes << 20, 'x') })
  let bytes = 0
  for await (const chunk of reply.body) bytes += (chunk as Buffer).length
  t.equal(bytes, megabytes << 20)
})

test('a path that two servers could read differently is refused', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'routes: [{ name: charge, match: { method: POST, path: /v1/charges }, idempotency: { key: required } }]' })
  t.match(await sidecar.post('k1', { path: '/v1%2Fcharges' }), { status: 400, problem: 'request-invalid' })
  t.match(await sidecar.post(null, { path: '//v1/./charges' }), { status: 400, problem: 'key-missing' }, 'and other spellings do not get around a route')
  t.match(await sidecar.post(null, { path: '/_onceward/anything' }), { status: 404, problem: 'not-found' })
  t.equal(upstream.requests.length, 0)
})
