import { test } from 'tap'
import { rawExchange, statusesIn } from '../support/raw-client.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a 103 before the answer is not the answer', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nmade'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post('k1'), { status: 201, body: 'made', headers: { 'x-a': '1' } })
  const replay = await rawExchange(t, sidecar.address, 'POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nConnection: close\r\nIdempotency-Key: k1\r\nContent-Length: 12\r\n\r\n{"amount":1}')
  t.same(statusesIn(replay), [201])
  t.notMatch(replay, /103|Link/, 'and is not replayed')
  t.equal(upstream.requests.length, 1)
})

test('a 101 that nobody asked for is no answer: the key is in doubt', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nframes'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (let i = 0; i < 2; i += 1) t.match(await sidecar.post('k1'), { status: 504, problem: 'outcome-unknown' })
  t.equal(upstream.requests.length, 1)
})
