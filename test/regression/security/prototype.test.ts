import { test } from 'tap'
import { nestedProblemClass } from '../../../src/core/attempt.ts'
import { mistakesIn } from '../../support/load-text.ts'
import { rawExchange } from '../../support/raw-client.ts'
import { scriptedUpstream, respond } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

const NAMES = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', '__defineGetter__']

/** What any object would know of itself if somebody had been able to tell it. */
const polluted = (): string[] => Object.keys(Object.prototype).concat(...NAMES.map((name) => Object.getOwnPropertyNames(({} as Record<string, object>)[name] ?? {}).filter((own) => own === 'polluted')))

test('fields named like parts of an object pass both ways as fields, guarded and passing', async (t) => {
  const lines = NAMES.flatMap((name) => [`${name}: polluted`, `${name}: twice`]).join('\r\n')
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok', lines))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const key of ['Idempotency-Key: __proto__\r\n', 'Idempotency-Key: __proto__\r\n', '']) {
    const reply = await rawExchange(t, sidecar.address, `POST /__proto__?__proto__[polluted]=1&constructor.prototype.polluted=1 HTTP/1.1\r\nHost: __proto__\r\nAuthorization: __proto__\r\n${key}Content-Type: application/json\r\n${lines}\r\nConnection: close, constructor\r\nContent-Length: 40\r\n\r\n{"__proto__":{"polluted":1},"a":[1,2,3]}`)
    t.match(reply, /^HTTP\/1\.1 200 /)
    t.ok(reply.endsWith('ok'))
    if (key !== '') for (const name of NAMES) t.ok(reply.includes(`${name}: polluted`), name)
  }
  t.equal(upstream.requests.length, 2)
  t.match(upstream.requests[0], /^__proto__: polluted\r$/m)
  t.same(polluted(), [])
})

test('a configuration and an upstream cannot give every object a property', async (t) => {
  for (const name of NAMES) t.ok((await mistakesIn(`${name}: { polluted: 1 }\ndefaults: { ${name}: { polluted: 1 } }\nroutes: [{ name: a, match: { path: /a }, idempotency: { ${name}: 1 } }]\n`)).length >= 3, name)
  const body = Buffer.from('{"__proto__":{"type":"urn:onceward:problem:x","may_have_run":false},"constructor":{"prototype":{"polluted":1}}}')
  t.equal(nestedProblemClass({ status: 503, headers: ['Content-Type', 'application/problem+json'], body, trailers: [] }), undefined, 'and a type that is only inherited is none')
  t.same(polluted(), [])
})
