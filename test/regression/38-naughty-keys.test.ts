import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const KEYS = [
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', 'true', '0', '-1', '1e3', '%00', '%0d%0aX-Evil:1',
  `'--`, `';DROP`, '${7*7}', '{{7*7}}', '<script>alert(1)</script>', '"><img/src=x>', '$(id)', '`id`', '|id', '../../etc/passwd', '..\\..\\', 'a:b', '*', '#', '\\', '\\"', '\\u0000', '~', '!', 'k'.repeat(255),
]

test('keys that mean something to an object, a query, a shell or a page are keys like others, and are told to nobody', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const [nth, key] of KEYS.entries()) {
    // a bare key must not begin with a quote, so those that do are sent as they would have to be
    const line = key.startsWith('"') ? `"${key.replace(/[\\"]/g, String.raw`\$&`)}"` : key
    const first = await sidecar.post(line)
    t.match(first, { status: 200, body: `n${nth + 1}` }, key)
    t.equal(first.headers['idempotent-replayed'], undefined, key)
    t.match(await sidecar.post(line), { status: 200, body: `n${nth + 1}`, headers: { 'idempotent-replayed': 'true' } }, key)
    t.match(await sidecar.post(line, { body: 'other' }), { status: 422, problem: 'key-reused' }, key)
  }
  t.equal(upstream.requests.length, KEYS.length)
  const metrics = await (await fetch(`${sidecar.adminAddress}/metrics`)).text()
  const told = KEYS.filter((key) => key.length > 5 && !['undefined'].includes(key) && (sidecar.log().includes(key) || metrics.includes(key)))
  t.same(told, [])
  t.equal(({} as Record<string, unknown>)['x'], undefined)
})
