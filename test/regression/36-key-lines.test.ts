import { test } from 'tap'
import { rawExchange } from '../support/raw-client.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const REFUSED: readonly (readonly [what: string, fields: string])[] = [
  ['two lines', 'Idempotency-Key: a\r\nIdempotency-Key: b\r\n'],
  ['two equal lines', 'Idempotency-Key: a\r\nidempotency-key: a\r\n'],
  ['two keys in one line', 'Idempotency-Key: a, b\r\n'],
  ['two quoted keys in one line', 'Idempotency-Key: "a", "b"\r\n'],
  ['an empty line before the key', 'Idempotency-Key:\r\nIdempotency-Key: a\r\n'],
  ['a name with an underscore', 'Idempotency_Key: a\r\n'],
  ['a name with another dash', 'Idempotency\u00adKey: a\r\n'],
]

test('a key that stands twice, or under a name that only some servers take for it, is no key', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { key: required } }' })
  for (const [what, fields] of REFUSED) {
    t.match(await rawExchange(t, sidecar.address, `POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nConnection: close\r\n${fields}Content-Length: 0\r\n\r\n`), /^HTTP\/1\.1 400 /, what)
  }
  t.equal(upstream.requests.length, 0)
})
