import { test } from 'tap'
import { rawClient, statusesIn } from '../support/raw-client.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const LEAD = 'POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nIdempotency-Key: k1\r\n'

test('a keyed request that waits for 100-continue is read, run once and replayed', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (let i = 0; i < 2; i += 1) {
    const client = rawClient(t, sidecar.address)
    client.socket.write(`${LEAD}Expect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n\r\n`)
    await client.until((received) => received.includes('HTTP/1.1 100 '))
    client.socket.write('hello')
    t.same(statusesIn(await client.closed()), [200])
  }
  t.equal(upstream.requests.length, 1)
  t.notMatch(upstream.requests[0], /^expect:/im)
})

test('a keyed request that would like to switch protocols is not let around its guard', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const upgrade of ['websocket', 'h2c', 'websocket']) {
    const client = rawClient(t, sidecar.address)
    client.socket.write(`${LEAD}Connection: upgrade, close\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nContent-Length: 5\r\n\r\nhello`)
    t.match((await client.until((received) => received.includes('\r\n\r\n'))).slice(0, 13), /^HTTP\/1\.1 [24]\d\d/)
  }
  t.ok(upstream.requests.length <= 1, 'it ran once, or it was refused')
  for (const request of upstream.requests) t.notMatch(request, /^upgrade:/im)
})
