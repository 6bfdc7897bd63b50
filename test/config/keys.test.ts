import { test } from 'tap'
import { configOf, mistakesIn, policyOf } from '../support/load-text.ts'

const idempotency = (fields: string) => `defaults: { idempotency: { ${fields} } }`
const route = (fields: string) => `\nroutes: [{ name: a, match: { path: /a }, idempotency: { ${fields} } }]`

test('where a key is looked for', async (t) => {
  const sourceOf = async (text: string, name = 'default') => policyOf(await configOf(text), name).keyFrom
  t.strictSame(await sourceOf(''), { kind: 'none' })
  t.strictSame(await sourceOf(idempotency('key_from: { header: Webhook-Id }')), { kind: 'headers', names: ['webhook-id'] })
  t.strictSame(await sourceOf(idempotency('key_from: { headers: [CE-Source, ce-id] }')), { kind: 'headers', names: ['ce-source', 'ce-id'] })
  t.strictSame(await sourceOf(idempotency('key: required, key_from: { pointer: /a~1b/0 }')), { kind: 'pointer', pointer: ['a/b', '0'] })
  const both = `${idempotency('key_from: { header: webhook-id }')}${route('key_from: none')}`
  t.strictSame([await sourceOf(both), await sourceOf(both, 'a')], [{ kind: 'headers', names: ['webhook-id'] }, { kind: 'none' }], 'a route can do without what the defaults say')
})

test('a key source that could not work is a mistake', async (t) => {
  const rows: readonly [string, RegExp][] = [
    ['key_from: { pointer: /id }', /^1:\d+: defaults.idempotency.key_from: .*needed: key: required where key_from is a pointer/],
    ['key: optional, key_from: { pointer: /id }', /defaults.idempotency.key_from: .*key: required/],
    ['key: required, key_from: { pointer: data.id }', /key_from.pointer: found data.id; needed: a JSON pointer .* \(write \/data\/id\)/],
    ['key: required, key_from: { pointer: "" }', /key_from.pointer: .*a JSON pointer/],
    ['key_from: { header: idempotency-key }', /key_from.header: .*always looked at first/],
    ['key_from: { headers: [ce-id, Connection] }', /key_from.headers\[1\]: .*belongs to the connection/],
    ['key_from: { headers: [ce-id] }', /key_from.headers/],
    ['key_from: { header: "a b" }', /key_from.header: .*the name of a header/],
    ['key_from: { header: a, pointer: /id }', /key_from: .*exactly one of header, headers or pointer/],
    ['key_from: {}', /key_from: .*exactly one of header, headers or pointer/],
    ['key_from: { cookie: a }', /key_from.cookie: there is no such field/],
    ['key_from: body', /key_from: found body; needed: none or cloudevents, or \{header: webhook-id\}/],
  ]
  for (const [fields, expected] of rows) t.match(await mistakesIn(idempotency(fields)), [expected], fields)
})

test('a pointer of the defaults binds every route that makes the key optional', async (t) => {
  const defaults = idempotency('key: required, key_from: { pointer: /id }')
  t.match(await mistakesIn(`${defaults}${route('key: optional')}`), [/^2:\d+: routes\[0\].idempotency.key: found optional; needed: key: required/])
  t.strictSame(await mistakesIn(`${defaults}${route('key: optional, key_from: none')}`), [])
  t.strictSame(await mistakesIn(`${defaults}${route('key: ignored')}`), [], 'a route that passes looks for no key')
  t.strictSame(await mistakesIn(`${defaults}${route('lease: 10s')}`), [])
})

test('how bodies are compared', async (t) => {
  const config = await configOf(`${idempotency('fingerprint: { mode: json, headers: [X-B, x-a, X-A], exclude: [/sent_at, /meta/0] }')}${route('fingerprint: { headers: [] }')}`)
  t.strictSame(policyOf(config, 'default').fingerprint, { version: 2, mode: 'json', headers: ['x-a', 'x-b'], exclude: ['/meta/0', '/sent_at'] })
  t.strictSame(policyOf(config, 'a').fingerprint, { version: 2, mode: 'json', headers: [], exclude: ['/meta/0', '/sent_at'] }, 'field by field')
  t.match(await mistakesIn(idempotency('fingerprint: { exclude: [/a] }')), [/fingerprint.exclude: .*mode: json beside it/])
  t.match(await mistakesIn(idempotency('fingerprint: { mode: json, exclude: [a] }')), [/exclude\[0\]: found a; needed: a JSON pointer .*write \/a/])
  t.match(await mistakesIn(idempotency('fingerprint: { mode: jsn }')), [/fingerprint.mode: found jsn/])
  t.strictSame(await mistakesIn(`${idempotency('fingerprint: { mode: json, exclude: [/a] }')}${route('fingerprint: { mode: raw }')}`), [], 'what a raw route inherits means nothing there')
})
