import { test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { mistakesIn } from '../support/load-text.ts'

const GET = 'get: "/v1/charges?key={key}&account={identity}"'

function routeWith(probe: string, more = 'scope: { header: x-tenant }'): string {
  return `routes: [{ name: a, match: { path: /a }, idempotency: { ${more}, when_unsure: { probe: { ${probe} } } } }]`
}

test('a probe is taken whole, with its credential from a variable', async (t) => {
  const text = routeWith(`${GET}, quiet: 2m, credential: { header: authorization, value: "Bearer \${TOKEN}" }, expect: { /account: "{identity}" }, absent: { status: [200], pointer: /data/0 }, reply: { status: 201, pointer: /data/0 }`)
  const loaded = await loadConfig({ file: { name: 'test.yaml', text }, flags: { upstream: 'http://127.0.0.1:1' }, environment: { TOKEN: 'secret' } })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map(({ message }) => message).join('\n'))
  const action = loaded.config.routes[0]?.action
  t.match(action, { policy: { whenUnsure: { kind: 'probe', probe: {
    quietMs: 120_000, timeoutMs: 5000, attempts: 3, credential: { name: 'authorization', value: 'Bearer secret' },
    found: { statuses: [200], pointer: null, value: null }, absent: { statuses: [200], pointer: ['data', '0'] }, reply: { status: 201, contentType: 'application/json' },
  } } } })
})

test('a probe that does not say whose request it asks about is refused', async (t) => {
  t.match(await mistakesIn(routeWith('get: "/v1/charges?key={key}", quiet: 2m')), [/probe\.get: .*\{identity\} in get, in a header or in expect/])
  t.strictSame(await mistakesIn(routeWith('get: "/v1/charges?key={key}", quiet: 2m, expect: { /account: "{identity}" }')), [])
  t.strictSame(await mistakesIn(routeWith('get: "/v1/charges?key={key}", quiet: 2m, headers: { x-account: "{identity}" }')), [])
  t.match(await mistakesIn(routeWith('get: "/v1/charges?key={key}&a={header:x-account}", quiet: 2m')), [/\{identity\} in get/], 'what the client says of itself is no answer')
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m`, 'scope: credential')), [/scope: \{ header: \.\.\. \} or \{ jwt: \.\.\. \} beside it/])
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m`, 'key: required')), [/scope: \{ header/], 'the default scope, too')
  t.strictSame(await mistakesIn(routeWith('get: "/v1/charges?key={key}", quiet: 2m', 'scope: none')), [])
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m`, 'scope: none')), [/no \{identity\}/])
})

test('a route that changes the scope under an inherited probe is judged', async (t) => {
  const defaults = `defaults: { idempotency: { scope: { header: x-tenant }, when_unsure: { probe: { ${GET}, quiet: 2m } } } }`
  t.match(await mistakesIn(`${defaults}\nroutes: [{ name: a, match: { path: /a }, idempotency: { scope: credential } }]`), [/^2:.*idempotency\.scope/])
})

test('what else a probe cannot be', async (t) => {
  t.match(await mistakesIn(routeWith(GET)), [/probe\.quiet: found nothing/])
  t.match(await mistakesIn(routeWith('quiet: 2m')), [/probe\.get: found nothing/])
  t.match(await mistakesIn(routeWith('get: "v1?a={identity}", quiet: 2m')), [/probe\.get: .*a path and query/])
  t.match(await mistakesIn(routeWith('get: "//evil/{identity}", quiet: 2m')), [/probe\.get: .*a path and query/])
  t.match(await mistakesIn(routeWith('get: "/a b?{identity}", quiet: 2m')), [/probe\.get: .*a path and query/])
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m, credential: { header: authorization, value: hunter2 }`)), [/credential\.value: found a text that is not shown; needed: .*from a variable/])
  t.match(await mistakesIn(routeWith('get: "/v1?k={header:authorization}&a={identity}", quiet: 2m')), [/no header that is a credential/])
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m, headers: { host: "{identity}" }`)), [/headers\.host: .*not written by us/])
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m, absent: { status: [500] }`)), [/absent\.status/], 'an error is never a no')
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m, found: { equals: done }`)), [/found\.equals: .*a pointer beside it/])
  t.match(await mistakesIn(routeWith(`${GET}, quiet: 2m, expect: { account: "{identity}" }`)), [/JSON pointer/])
  t.match(await mistakesIn('defaults: { idempotency: { when_unsure: { probe: { get: "/a", quiet: 2m }, resend: { within: 1h } } } }'), [/exactly one of/])
})
