import { test } from 'tap'
import { rawClient } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/** A client that stopped talking, at each place where one may. */
const STOPPED = [
  '', 'P', 'POST /slow HTTP/1.1\r\n', 'POST /slow HTTP/1.1\r\nHost: a\r\nX-A: ', 'POST /slow HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nIdempotency-Key: k\r\nContent-Length: 10\r\n\r\n',
  'POST /slow HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nIdempotency-Key: k\r\nContent-Length: 10\r\n\r\nhalf', 'POST /slow HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe',
]

test('hundreds of clients that stopped in the middle hold up nobody, and none of their requests is run', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const slow = Array.from({ length: 50 }, () => STOPPED).flat().map((bytes) => {
    const client = rawClient(t, sidecar.address)
    client.socket.write(bytes)
    return client
  })
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => sidecar.post(`k${i}`)))
  t.ok(answers.every(({ status, body }) => status === 200 && body === 'ok'))
  for (const { socket } of slow) socket.resetAndDestroy()
  t.match(await sidecar.post('after'), { status: 200, body: 'ok' })
  t.notOk(upstream.requests.some((request) => request.includes('/slow')))
})

test('a body that trickles byte by byte is one request, and others pass it by', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => respond(socket, 200, request.includes('/slow') ? 'slow' : 'quick'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const client = rawClient(t, sidecar.address)
  client.socket.write('POST /slow HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nIdempotency-Key: k\r\nConnection: close\r\nContent-Length: 20\r\n\r\n')
  for (let i = 0; i < 20; i += 1) {
    client.socket.write('x')
    t.match(await sidecar.post(`k${i}`), { status: 200, body: 'quick' })
  }
  t.match(await client.closed(), /slow$/)
  t.equal(upstream.requests.length, 21)
})
