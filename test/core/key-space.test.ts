import { test, type Test } from 'tap'
import { filingOf } from '../../src/config/filing.ts'
import { freedBy, keySpaceText, readKeySpace, type KeySpace } from '../../src/core/key-space.ts'
import { configOf } from '../support/load-text.ts'

const spaceOf = async (text: string): Promise<KeySpace> => (await configOf(text)).keySpace

const change = async (t: Test, from: string, to: string): Promise<string[]> => {
  const [past, next] = [await spaceOf(from), await spaceOf(to)]
  t.strictSame(freedBy(past, past), [], 'what stays as it is frees nothing')
  t.strictSame(freedBy(next, next), [], 'what stays as it is frees nothing')
  return freedBy(past, next)
}

const WEBHOOKS = '{ name: webhooks, match: { method: POST, path: /webhooks/* }, idempotency: { scope: none } }'
const TWISTED = `
routes:
  - { name: a, match: { path: /a/:x, host: "*.example.com" }, idempotency: { scope: none } }
  - { name: b, match: { path: /:y/b }, idempotency: { credential_headers: ["cookie:session"] } }
  - { name: c, match: { path: /a/b, headers: { x-version: "2" } }, idempotency: { credential_headers: [x-c] } }
`

test('a change of who is told apart frees keys, wherever it stands', async (t) => {
  t.same(await change(t, 'service: a', 'service: b'), ['the service was a and would be b'])
  t.same(await change(t, '', 'defaults: { idempotency: { scope: none } }'), ['default has another scope'])
  t.same(await change(t, '', 'defaults: { idempotency: { credential_headers: [authorization] } }'), ['default has another scope'])
  t.same(await change(t, `routes: [${WEBHOOKS}]`, `routes: [${WEBHOOKS.replace('none', 'credential')}]`), ['webhooks has another scope'])
})

test('routes that take requests from others, or leave them to others, free keys if they file them otherwise', async (t) => {
  t.same(await change(t, '', `routes: [${WEBHOOKS}]`), ['webhooks takes requests of default and has another scope'])
  t.same(await change(t, `routes: [${WEBHOOKS}]`, ''), ['default takes requests of webhooks and has another scope'])
  t.same(await change(t, `routes: [${WEBHOOKS}]`, `routes: [${WEBHOOKS.replace('/webhooks/*', '/webhooks/:x')}]`), ['default takes requests of webhooks and has another scope'])
  const swapped = TWISTED.trim().split('\n').toSpliced(1, 2, ...TWISTED.trim().split('\n').slice(1, 3).toReversed()).join('\n')
  t.same(await change(t, TWISTED, swapped), ['b takes requests of a and has another scope'], 'an order is part of it')
})

test('whatever else may change frees nothing', async (t) => {
  const base = `service: s\nroutes: [${WEBHOOKS}]`
  for (const next of [
    base.replace('name: webhooks', 'name: hooks'),
    base.replace('scope: none', 'scope: none, key: required, lease: 90s, retention: 48h, anonymous: share'),
    `${base}\ndefaults: { idempotency: { anonymous: share, fingerprint: { headers: [x-a] } } }`,
    `${base}\ndefaults: { idempotency: { credential_headers: [Authorization, X-API-KEY] } }`,
    base.replace(']', ', { name: more, match: { path: /more }, idempotency: { key: required } }]'),
    base.replace(']', ', { name: hidden, match: { path: /webhooks/a, method: POST }, idempotency: { credential_headers: [x-a] } }]'),
    base.replace('path: /webhooks/*', 'path: /webhooks/*, headers: {}'),
  ]) t.same(await change(t, base, next), [], next)
  t.same(await change(t, TWISTED, TWISTED.replace('name: a', 'name: d')), [])
  t.same(await change(t, '', 'routes: [{ name: get, match: { path: /x, method: GET }, idempotency: { scope: none } }]'), [], 'requests that passed filed nothing')
  t.same(await change(t, '', 'routes: [{ name: off, match: { path: /x }, pass: true }]'), [], 'who turns it off says so')
  t.same(await change(t, 'routes: [{ name: off, match: { path: /x }, pass: true }]', 'routes: [{ name: on, match: { path: /x }, idempotency: { scope: none } }]'), [])
})

test('a key source that changes or goes frees keys; one that comes does not', async (t) => {
  const space = (source: unknown, header: 'first' | 'ignored' = 'first'): KeySpace => {
    const filing = filingOf({ scope: 'credential', credential_headers: ['authorization'], ...(source === undefined ? {} : { key_from: source }) }, 'r', header)
    return { service: 's', routes: [{ name: 'r', methods: null, host: null, path: ['*'], headers: [], filing }] }
  }
  t.same(freedBy(space({ header: 'webhook-id' }), space({ pointer: '/id' })), ['r has another key source'])
  t.same(freedBy(space({ header: 'webhook-id' }), space(undefined)), ['r has another key source'])
  t.same(freedBy(space({ headers: ['ce-source', 'ce-id'] }), space({ headers: ['ce-id', 'ce-source'] })), ['r has another key source'])
  t.same(freedBy(space(undefined), space({ header: 'webhook-id' })), [])
  t.same(freedBy(space({ header: 'webhook-id' }), space({ header: 'Webhook-Id' })), [])
  for (const old of [undefined, { header: 'webhook-id' }]) t.same(freedBy(space(old), space({ header: 'webhook-id' }, 'ignored')), ['r has another key source'], 'what was filed by an Idempotency-Key is not found any more')
  t.same(freedBy(space({ header: 'webhook-id' }, 'ignored'), space({ header: 'webhook-id' }, 'ignored')), [])
})

test('with scope: route the keys hang on the name of the route', (t) => {
  const space = (name: string): KeySpace => ({ service: 's', routes: [{ name, methods: null, host: null, path: ['*'], headers: [], filing: filingOf({ scope: 'route', credential_headers: [] }, name, 'first') }] })
  t.same(freedBy(space('a'), space('a')), [])
  t.same(freedBy(space('a'), space('b')), ['b takes requests of a and has another scope'])
  t.end()
})

test('how a token is verified may change, whose token it is may not', async (t) => {
  const scope = (jwt: object): string => filingOf({ scope: { jwt }, credential_headers: [] }, 'r', 'first').scope
  const base = { claim: 'sub', issuer: 'https://i', jwks: 'https://i/keys' }
  t.equal(scope({ jwks: 'https://i/other', audience: 'a', issuer: 'https://i', claim: 'sub' }), scope(base))
  for (const other of [{ ...base, claim: 'tenant' }, { ...base, issuer: 'https://j' }, { claim: 'sub', jwks: 'https://i/keys' }]) t.not(scope(other), scope(base))
  t.not(scope({ claim: 'sub', jwks: 'https://i/keys' }), scope({ claim: 'sub', jwks: 'https://j/keys' }), 'without an issuer the keys are one')
})

test('what is written down is read again as it was', async (t) => {
  const space = await spaceOf(`service: s${TWISTED}`)
  const text = keySpaceText(space)
  t.same(readKeySpace(text), space)
  t.equal(keySpaceText(readKeySpace(text) ?? space), text)
  t.equal(readKeySpace(text.replace('"version":1', '"version":2')), null)
})
