import { test } from 'tap'
import { rawClient, rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

const LEAD = 'POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nIdempotency-Key: k\r\n'

const ENDLESS: readonly (readonly [what: string, begin: string, more: string])[] = [
  ['fields', LEAD, 'X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'],
  ['a field', `${LEAD}X-A: `, 'a'.repeat(64)],
  ['a target', 'POST /', 'a'.repeat(64)],
  ['a method', '', 'A'.repeat(64)],
  ['a chunk extension', `${LEAD}Transfer-Encoding: chunked\r\n\r\n1;`, 'a'.repeat(64)],
  ['chunk extensions', `${LEAD}Transfer-Encoding: chunked\r\n\r\n`, `1;${'a'.repeat(60)}\r\nx\r\n`],
  ['trailers', `${LEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n`, 'X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'],
  ['a body without a length', `${LEAD}Transfer-Encoding: chunked\r\n\r\n`, `1000\r\n${'x'.repeat(4096)}\r\n`],
]

for (const [what, begin, more] of ENDLESS) {
  test(`${what} without an end: the connection ends, long before the memory does`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { request_body: 64KiB }' })
    const client = rawClient(t, sidecar.address)
    let written = 0
    client.socket.write(begin)
    // 16 MiB are many times what any of these may take.
    while (client.received() === '' && !client.socket.destroyed && written < 16 << 20) {
      const chunk = more.repeat(Math.ceil(16_384 / more.length))
      written += chunk.length
      await new Promise<void>((resolve) => { client.socket.write(chunk, () => resolve()) })
    }
    t.ok(written < 16 << 20, `after ${written} bytes`)
    const received = await client.until((text) => text !== '')
    if (received !== '') t.match(received, /^HTTP\/1\.1 4\d\d /)
    t.equal(upstream.requests.length, 0)
    t.match(await sidecar.post('next'), { status: 200, body: 'ok' })
  })
}

test('a length that nothing will ever fill is refused before a byte of it is read', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const length of ['9007199254740993', '999999999999', '8388609']) {
    t.match(await rawExchange(t, sidecar.address, `${LEAD}Content-Length: ${length}\r\n\r\n`), /^HTTP\/1\.1 413 /, length)
  }
  t.equal(upstream.requests.length, 0)
})
