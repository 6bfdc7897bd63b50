import { test } from 'tap'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/* CVE-2026-33805: a client names a field in Connection, so that the proxy takes it off and the upstream decides without it. */

const FIELDS = 'Authorization: Bearer one\r\nIdempotency-Key: k1\r\nX-Api-Key: a\r\nX-Account: 7\r\n'

for (const named of ['Idempotency-Key', 'idempotency-key', 'Authorization', 'X-API-Key', 'close, Idempotency-Key', 'keep-alive,authorization', ', ,idempotency-key,']) {
  test(`Connection: ${named} takes nothing off that the guard relies on: the request is refused`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
    for (const lines of [`Connection: ${named}\r\n`, `Connection: close\r\nConnection: ${named}\r\n`]) {
      t.match(await rawExchange(t, sidecar.address, `POST /x HTTP/1.1\r\nHost: a\r\n${FIELDS}${lines}Content-Length: 0\r\n\r\nGET /end HTTP/1.0\r\n\r\n`), /^HTTP\/1\.1 400 /, lines)
    }
    t.notOk(upstream.requests.some((request) => request.startsWith('POST')))
  })
}

test('what we add is added after the Connection field was obeyed', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const key of ['Idempotency-Key: k1\r\n', '']) {
    await rawExchange(t, sidecar.address, `POST /x HTTP/1.1\r\nHost: shop.example\r\nAuthorization: a\r\n${key}Via: 1.1 edge\r\nConnection: close, via, host, content-length, X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nhi`)
  }
  for (const request of upstream.requests) {
    t.match(request, /^via: .*\bonceward/im)
    t.match(request, /^host: shop\.example\r$/im)
    t.match(request, /^content-length: 2\r$/im)
    t.ok(request.endsWith('hi'))
  }
  t.notMatch(upstream.requests[0], /x-hop/i)
})
