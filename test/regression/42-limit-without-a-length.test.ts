import { test } from 'tap'
import { rawClient } from '../support/raw-client.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a chunked body is counted as it comes: past the limit it is 413, and its key is free', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { request_body: 1000B }' })
  const client = rawClient(t, sidecar.address)
  client.socket.write('POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nIdempotency-Key: k1\r\nTransfer-Encoding: chunked\r\n\r\n')
  // The end is never sent: who waits for it before counting waits for ever.
  for (let i = 0; i < 11; i += 1) client.socket.write(`64\r\n${'x'.repeat(100)}\r\n`)
  t.match(await client.until((received) => received.includes('body-too-large')), /^HTTP\/1\.1 413 /)
  t.equal(upstream.requests.length, 0)
  t.match(await sidecar.post('k1'), { status: 200, body: 'ok' })
})
