import { test } from 'tap'
import { rawExchange } from '../support/raw-client.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const REQUEST = 'POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nIdempotency-Key: k1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

const REPLIES: readonly (readonly [what: string, bytes: string])[] = [
  ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'],
  ['chunked with trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n'],
  ['measured', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\n\r\nhello'],
  ['that closes its connection', 'HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 5\r\n\r\nhello'],
]

for (const [what, bytes] of REPLIES) {
  test(`a reply ${what} is framed anew, live and replayed`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => socket.write(bytes))
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
    for (let i = 0; i < 3; i += 1) {
      const received = await rawExchange(t, sidecar.address, REQUEST)
      const [head = '', body = ''] = received.split('\r\n\r\n')
      t.equal(body, 'hello')
      t.same(head.match(/^content-length:.*$/gim)?.map((line) => line.toLowerCase()), ['content-length: 5'])
      t.notMatch(head, /transfer-encoding|keep-alive|x-hop/i)
      t.same(head.match(/^connection:.*$/gim)?.map((line) => line.toLowerCase()), ['connection: close'], 'our own')
    }
    t.equal(upstream.requests.length, 1)
  })
}
