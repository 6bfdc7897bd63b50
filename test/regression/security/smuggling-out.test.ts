import { test } from 'tap'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { leadOf, SHAPES } from '../../support/smuggling-shapes.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/* What the upstream is sent, as bytes: one way to read its end, whatever the client's way was. */

/** Every line of a request's head, and what is behind it. */
function parts(request: string): { readonly lines: readonly string[], readonly body: string } {
  const end = request.indexOf('\r\n\r\n')
  return { lines: request.slice(0, end).split('\r\n'), body: request.slice(end + 4) }
}

const named = (lines: readonly string[], name: string): string[] => lines.slice(1).filter((line) => line.toLowerCase().startsWith(`${name}:`))

test('a guarded request leaves with one length and no coding, however it came', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const accepted = SHAPES.filter(({ expected }) => expected === 'one')
  for (const [nth, shape] of accepted.entries()) {
    await rawExchange(t, sidecar.address, shape.bytes(leadOf(`Idempotency-Key: k${nth}\r\nConnection: close\r\nTE: trailers\r\nTrailer: X-Sum\r\n`)))
    const { lines, body } = parts(upstream.requests[nth] ?? '')
    t.equal(lines[0], 'POST /v1/charges HTTP/1.1', shape.name)
    t.same(named(lines, 'content-length').map((line) => line.toLowerCase()), [`content-length: ${body.length}`], shape.name)
    t.same([...named(lines, 'transfer-encoding'), ...named(lines, 'te'), ...named(lines, 'trailer')], [], shape.name)
    t.ok(lines.slice(1).every((line) => /^[!#$%&'*+.^_`|~\w-]+:[ \t]*[\t\u0020-\u007e\u0080-\u00ff]*$/.test(line)), `${shape.name}: every line is a field`)
  }
  t.equal(upstream.requests.length, accepted.length, 'and nothing else was sent')
})

test('a target travels as it came, and ends no request line', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const targets = [
    '/v1/charges?next=%0d%0aHost:%20evil', '/v1/charges?a=%20HTTP/1.1%0d%0a%0d%0aGET%20/smuggled', '/v1/charges?q="<>{}|^`', '/v1/charges?%00', '/v1/charges?a=caf\u00c3\u00a9',
    '/v1/charges?a=b#fragment', '/v1/charges?', '/v1/charges??a=/../..',
  ]
  for (const [nth, target] of targets.entries()) {
    const before = upstream.requests.length
    const reply = await rawExchange(t, sidecar.address, `${leadOf(`Idempotency-Key: k${nth}\r\nConnection: close\r\n`).replace('/v1/charges', target)}Content-Length: 0\r\n\r\n`)
    // bytes that no target may have are refused; everything else arrives unchanged
    if (upstream.requests.length === before) t.match(reply, /^HTTP\/1\.1 4\d\d /, target)
    else t.equal(parts(upstream.requests[before] ?? '').lines[0], `POST ${target} HTTP/1.1`)
    t.ok(upstream.requests.length <= before + 1, `${target}: at most one request`)
  }
})

test('a field arrives with the name and the value that it had, and never as two', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const odd = ['X-Latin: caf\u00e9\u00ff', 'X_Under: 1', 'x-twice: 1', 'X-Twice: 2', "!#$%&'*+-.^_`|~: token", 'X-Encoded: %0d%0aX-Evil: 1', 'X-Tab: a\tb', 'X-Empty:', 'X-Colons: a: b: c']
  await rawExchange(t, sidecar.address, `${leadOf(`Idempotency-Key: k\r\nConnection: close\r\n${odd.join('\r\n')}\r\n`)}Content-Length: 0\r\n\r\n`)
  const { lines } = parts(upstream.requests[0] ?? '')
  for (const line of odd) t.ok(lines.some((arrived) => arrived.replace(/:\s*/, ':') === line.replace(/:\s*/, ':')), line)
  t.same(named(lines, 'x-evil'), [])
  t.same(named(lines, 'idempotency-key'), ['Idempotency-Key: k'])
})
