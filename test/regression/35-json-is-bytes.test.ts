import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

/** JSON that would not survive a parser and a writer: spaces, a large number, 1.0, a name twice, escapes, order. */
const BODIES = [
  '{ "b" : 1.0 , "a":12345678901234567890, "a": 2 }', '{"a":"\\u0041\\/"}\n', '\ufeff{"a":1}', '{"__proto__":{"x":1},"constructor":1}', '[1e400,-0]', '{"a":', 'null', '',
]

for (const [way, key] of [['a guarded request', 'k'], ['a request that passes', null]] as const) {
  test(`the JSON of ${way} and of its reply travel byte for byte, even where it is none`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, request }) => respond(socket, 200, Buffer.from(bodyOf(request), 'latin1').toString(), 'Content-Type: application/json'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
    for (const [nth, body] of BODIES.entries()) {
      const headers = ['Authorization', 'Bearer one', 'Content-Type', 'application/json']
      const reply = await sidecar.post(key === null ? null : `${key}${nth}`, { body, headers })
      t.equal(reply.status, 200, body)
      t.equal(Buffer.from(bodyOf(upstream.requests[nth] ?? ''), 'latin1').toString(), body)
      t.equal(reply.body, body.replace(/^\ufeff/, ''), 'undici takes the mark off a text')
    }
  })
}

function bodyOf(request: string): string {
  return request.slice(request.indexOf('\r\n\r\n') + 4)
}
