import { test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/config.ts'

const UPSTREAM = { upstream: 'http://127.0.0.1:3000' }

async function load(text: string): Promise<Config | readonly string[]> {
  const loaded = await loadConfig({ file: { name: 'a.yaml', text }, flags: UPSTREAM, environment: {} })
  return loaded.kind === 'faulty' ? loaded.mistakes.map(({ line, column, field, expected }) => `${line}:${column} ${field}: ${expected}`) : loaded.config
}

async function configOf(text: string): Promise<Config> {
  const loaded = await load(text)
  if (!('routes' in loaded)) throw new Error(loaded.join('\n'))
  return loaded
}

const PASSING = 'match: { path: /x }, idempotency: { key: ignored }'

test('a route takes what it leaves out from the defaults, field by field', async (t) => {
  const { routes } = await configOf(`defaults: { retry: { attempts: 2, cap: 1s } }\nroutes: [{ name: a, match: { path: /x }, retry: { base: 10ms, jitter: equal, per_try_timeout: 3s, budget: own } }]\nbudgets: { own: { ratio: 0.5 } }`)
  const action = routes[0]?.action
  if (action?.kind !== 'guard') return t.fail('it guards')
  t.strictSame(action.policy.retry, { attempts: 2, backoff: { baseMs: 10, capMs: 1000, jitter: 'equal' }, perTryMs: 3000, budget: 'own' })
})

test('budgets and the breaker have the defaults of Finagle, and the default budget is always there', async (t) => {
  const { budgets, breaker } = await configOf('budgets: { reports: { ratio: 1, shared: false } }\nbreaker: { pause: 1s }')
  t.strictSame([...budgets], [
    ['default', { ratio: 0.2, minPerSecond: 10, windowMs: 10_000, shared: false, maxInFlight: 256 }],
    ['reports', { ratio: 1, minPerSecond: 10, windowMs: 10_000, shared: false, maxInFlight: 256 }],
  ])
  t.strictSame(breaker, { ratio: 0.5, minAttempts: 20, windowMs: 10_000, pauseMs: 1000 })
})

test('the upstream is told the deadline where the client says it, unless it is told elsewhere', async (t) => {
  const { routes } = await configOf(`routes: [{ name: a, match: { path: /x }, retry: { deadline_from: { header: X-Timeout, form: s } } }]`)
  t.match(routes[0]?.action, { policy: { deadlineFrom: { header: 'x-timeout', form: 's' }, deadlineTo: { header: 'x-timeout', form: 's' } } })
})

test('a passing route sends nothing again unless it names methods', async (t) => {
  const { routes } = await configOf(`routes: [{ name: a, ${PASSING}, retry: { deadline: 5s } }, { name: b, ${PASSING.replace('/x', '/y')}, retry: { methods: [GET, PUT], body: 1KiB }, status: { refused_by: [X-Overloaded] } }]`)
  t.match(routes[0]?.action, { kind: 'pass', deadlineMs: 5000, retry: { methods: new Set() } })
  t.match(routes[1]?.action, { kind: 'pass', retry: { bodyBytes: 1024, attempts: 4, status: { proofs: ['x-overloaded'] } } })
})

test('no jitter, and a shared budget that nothing shares, are warned of', async (t) => {
  const { warnings } = await configOf('defaults: { retry: { jitter: none } }\nbudgets: { default: { shared: true } }')
  t.equal(warnings.length, 2)
  t.match(warnings[0], /jitter: none/)
  t.match(warnings[1], /no store\.redis/)
})

const MISTAKES: readonly [string, RegExp][] = [
  ['defaults: { retry: { attempts: 0 } }', /defaults\.retry\.attempts: a whole number from 1 to 10/],
  ['defaults: { retry: { budget: other } }', /defaults\.retry\.budget: a name under budgets: default/],
  ['defaults: { retry: { jitter: some } }', /defaults\.retry\.jitter: full/],
  ['defaults: { retry: { deadline_from: { header: host, form: ms } } }', /deadline_from\.header: a header that means a deadline/],
  ['routes: [{ name: a, match: { path: /x }, retry: { methods: [GET] } }]', /retry\.methods: idempotency\.key: ignored/],
  [`routes: [{ name: a, ${PASSING}, retry: { methods: [POST] } }]`, /retry\.methods/],
  ['budgets: { default: { ratio: lots } }', /budgets\.default\.ratio: a number from 0 to 10/],
  ['budgets: { default: { shared: maybe } }', /budgets\.default\.shared: true or false/],
  ['budgets: { Other: {} }', /budgets\.Other: the name of a budget/],
  ['breaker: { ratio: 2 }', /breaker\.ratio: a number from 0\.01 to 1/],
]

for (const [text, mistake] of MISTAKES) {
  test(`a mistake: ${text}`, async (t) => {
    const loaded = await load(text)
    t.match('routes' in loaded ? 'none' : loaded.join('\n'), mistake)
  })
}
