import { test } from 'tap'
import { configOf, policyOf } from '../support/load-text.ts'

test('a route takes from the defaults what it does not say itself, field by field', async (t) => {
  const config = await configOf(`
defaults:
  idempotency: { lease: 10s, retention: 2h, retention_bounds: { min: 5m }, credential_headers: [X-Tenant], in_flight: { wait: 3s } }
  retry: { deadline: 4s }
  status: { lost: [500] }
routes:
  - name: a
    match: { method: [POST, PUT], path: /v1/a/:id/, host: API.example.com }
    idempotency: { key: required, retention: 3h, retention_bounds: { max: 4h }, fingerprint: { headers: [X-B, x-a, X-A] } }
    retry: { linger: 0s }
    status: { refused: [503] }
`)
  const [route] = config.routes
  t.match(route, { name: 'a', methods: new Set(['POST', 'PUT']), host: 'api.example.com', path: ['v1', 'a', ':id'] })
  t.match(policyOf(config, 'a'), {
    key: 'required',
    leaseMs: 10_000,
    retention: { defaultMs: 10_800_000, minMs: 300_000, maxMs: 14_400_000 },
    scope: { kind: 'credential', headers: ['x-tenant'], anonymous: 'refuse' },
    inFlight: { kind: 'wait', waitMs: 3000 },
    fingerprint: { headers: ['x-a', 'x-b'] },
    deadlineMs: 4000,
    lingerMs: 0,
    status: { rules: new Map([[500, 'lost'], [503, 'refused']]) },
  })
  t.match(policyOf(config, 'default'), { key: 'optional', leaseMs: 10_000, retention: { defaultMs: 7_200_000, maxMs: 2_592_000_000 }, deadlineMs: 4000, lingerMs: 300_000 })
})

test('resend has the statuses of a request in progress, hold has none', async (t) => {
  const config = await configOf(`
defaults: { idempotency: { when_unsure: { resend: { within: 2h } } } }
routes:
  - { name: own, match: { path: /own }, idempotency: { when_unsure: { resend: { within: 1h, in_progress: [409] } } } }
  - { name: hold, match: { path: /hold }, idempotency: { when_unsure: hold } }
`)
  const read = (name: string) => [policyOf(config, name).whenUnsure, policyOf(config, name).status.inProgress]
  t.strictSame(read('default'), [{ kind: 'resend', withinMs: 7_200_000 }, [409, 423, 425, 429]])
  t.strictSame(read('own'), [{ kind: 'resend', withinMs: 3_600_000 }, [409]])
  t.strictSame(read('hold'), [{ kind: 'hold' }, []])
})

test('a route that passes or ignores keys passes, and so do the fallbacks if the defaults ignore keys', async (t) => {
  const config = await configOf(`
defaults: { idempotency: { key: ignored } }
routes:
  - { name: passes, match: { path: /a }, pass: true }
  - { name: ignores, match: { path: /b } }
  - { name: guards, match: { path: /c }, idempotency: { key: optional } }
`)
  t.strictSame(config.routes.map(({ name, action }) => [name, action.kind]), [['passes', 'pass'], ['ignores', 'pass'], ['guards', 'guard'], ['default', 'pass'], ['pass-through', 'pass']])
})

test('scope none and the other choices are taken over', async (t) => {
  const config = await configOf('store: { embedded: single-instance }\nlog: { level: silent }\nshutdown: { grace: 0s }\ndefaults: { idempotency: { scope: none, unknown_status: 409, close_delimited: keep } }')
  t.match(config, { store: { embedded: 'single-instance' }, log: { level: 'silent' }, shutdownGraceMs: 0 })
  t.match(policyOf(config, 'default'), { scope: { kind: 'none' }, unknownStatus: 409, closeDelimited: 'keep' })
})

test('every route that goes on without its store is warned of, whoever said so', async (t) => {
  const config = await configOf(`
defaults: { idempotency: { store_outage: open, claim_within: 250ms } }
routes:
  - { name: inherits, match: { path: /a } }
  - { name: stays-closed, match: { path: /b }, idempotency: { store_outage: closed } }
  - { name: passes, match: { path: /c }, pass: true }
`)
  t.match(policyOf(config, 'inherits'), { storeOutage: 'open', claimWithinMs: 250 })
  t.match(policyOf(config, 'stays-closed'), { storeOutage: 'closed' })
  t.strictSame(config.warnings.map((warning) => /^the route (\S+) says store_outage: open: .* WITHOUT PROTECTION, and .* may run twice$/.exec(warning)?.[1]), ['inherits', 'default'])
})

test('a route that stands behind one that takes all of its requests is warned of', async (t) => {
  const warned = async (...matches: string[]) => {
    const { warnings } = await configOf(`routes:\n${matches.map((match, i) => `  - { name: r${i}, match: { ${match} } }\n`).join('')}`)
    return warnings.map((warning) => warning.replace(/the route (\w+) never matches: (\w+) .*/, '$1 behind $2'))
  }
  t.strictSame(await warned('path: /*', 'path: /a'), ['r1 behind r0'])
  t.strictSame(await warned('path: /v1/*', 'method: POST, path: /v1'), ['r1 behind r0'], 'a star matches nothing, too')
  t.strictSame(await warned('path: /:a/b', 'path: /x/b', 'path: /x/:c'), ['r1 behind r0'])
  t.strictSame(await warned('method: [GET, POST], path: /a/', 'method: POST, path: /a, host: h'), ['r1 behind r0'])
  t.strictSame(await warned('path: /a, host: h', 'path: /a, host: H'), ['r1 behind r0'])
  t.strictSame(await warned('method: POST, path: /*', 'path: /a'), [])
  t.strictSame(await warned('path: /:a', 'path: /*'), [])
  t.strictSame(await warned('path: /a/:b', 'path: /a/*'), [])
  t.strictSame(await warned('path: /a, host: h', 'path: /a'), [])
  t.strictSame(await warned('path: /a', 'path: /a/b', 'path: /'), [])
})
