import { Agent } from 'node:http'
import { connect } from 'node:net'
import { Stripe } from 'stripe'
import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { send, startForTest, until as untilTold } from '../support/start-sidecar.ts'

const GUARDED = 'defaults: { retry: { base: 1ms } }'
const RESEND = 'defaults: { retry: { base: 1ms, cap: 20ms }, idempotency: { when_unsure: { resend: { within: 24h } } } }'
const PASSING = `
routes:
  - name: things
    match: { path: /v1/* }
    idempotency: { key: ignored }
    retry: { base: 1ms, methods: [GET, HEAD, PUT, DELETE], body: 1KiB, deadline: 2s }
`

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => { setTimeout(resolve, 5) })
}

function field(request: string | undefined, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)\r$`, 'im').exec(request ?? '')?.[1]
}

test('each attempt has the same key, a number of its own and a parent of its own', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, number < 3 ? 429 : 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: GUARDED })
  const sent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const received = await sidecar.post('k1', { headers: ['Authorization', 'a', 'traceparent', sent, 'Onceward-Attempt', '9'] })
  t.match(received, { status: 200, body: 'ok' })
  t.strictSame(upstream.requests.map((request) => field(request, 'idempotency-key')), ['k1', 'k1', 'k1'])
  t.strictSame(upstream.requests.map((request) => field(request, 'onceward-attempt')), [undefined, '2', '3'], "a client's own is not believed")
  const parents = upstream.requests.map((request) => field(request, 'traceparent') ?? '')
  t.equal(parents[0], sent, 'the first travels as it was sent')
  t.equal(new Set(parents).size, 3)
  for (const parent of parents) t.match(parent, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
  t.equal(new Set(upstream.requests.map((request) => request.split('\r\n\r\n')[1])).size, 1, 'and the same body')
})

test('retries are counted: by number and route, with their delays, and why there was none', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 429, 'no'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: `${GUARDED}\nbudgets: { default: { ratio: 0, min_per_second: 1 } }\nbreaker: {}` })
  for (const key of ['k1', 'k2', 'k3', 'k4']) await sidecar.post(key)
  t.equal(upstream.requests.length, 4 + 10, 'ten retries are in the budget, and no more')
  t.equal(await sidecar.metric('retry_attempt_total{attempt="1",route="default"}'), 4)
  t.equal(await sidecar.metric('retry_attempt_total{attempt="3",route="default"}'), 3)
  t.equal(await sidecar.metric('retry_delay_seconds_count{route="default"}'), 10)
  t.equal(await sidecar.metric('onceward_retries_refused_total{reason="no-attempts"}'), 3)
  t.equal(await sidecar.metric('onceward_retries_refused_total{reason="no-budget"}'), 1)
  t.equal(await sidecar.metric('onceward_retry_budget_balance{budget="default"}'), 0)
  t.equal(await sidecar.metric('onceward_retries_in_flight{budget="default"}'), 0)
  t.equal(await sidecar.metric('onceward_breaker_state'), 0, 'a 429 is about the client')
})

test('a client is told why there was no further attempt, and how long to wait', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => request.includes('/lost') ? socket.destroy() : respond(socket, 503, 'busy', 'Retry-After: 90'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: GUARDED })
  t.match((await sidecar.post('k1')).headers, { 'retry-after': '90', 'proxy-status': 'onceward; received-status=503; details="no time left"' })
  t.match((await sidecar.post('k2', { path: '/lost' })).headers, { 'proxy-status': /details="outcome-unknown; not safe to repeat"$/ })
})

test('the breaker answers 503 before anything is claimed', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.destroy())
  const sidecar = await startForTest(t, upstream.origin, { yaml: `${GUARDED}\nbreaker: { min_attempts: 3, pause: 30s }` })
  for (const key of ['k1', 'k2', 'k3']) t.match(await sidecar.post(key), { problem: 'outcome-unknown' })
  t.match(await sidecar.post('k4'), { status: 503, problem: 'upstream-resting', headers: { 'retry-after': /^(29|30)$/ } })
  t.equal(upstream.requests.length, 3)
  t.equal(await sidecar.metric('onceward_breaker_state'), 2)
})

test('a reload changes budgets and attempts', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 429, 'no'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { base: 1ms, attempts: 2 } }' })
  await sidecar.post('k1')
  t.equal(upstream.requests.length, 2)
  await sidecar.reconfigure('defaults: { retry: { base: 1ms, attempts: 3 } }\nbudgets: { default: { ratio: 0, min_per_second: 0 } }')
  await sidecar.post('k2')
  t.equal(upstream.requests.length, 3, 'no budget any more')
})

test('resend against an upstream that keeps keys itself and answers 409 while it works: the 409 is never stored', async (t) => {
  let working = true
  const upstream = await scriptedUpstream(t, ({ socket, number }) => {
    if (number === 1) socket.destroy() // it works on, and will be done in a while
    else respond(socket, working ? 409 : 201, working ? 'working' : 'charged')
    if (number === 9) working = false
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: RESEND })
  t.match(await sidecar.post('k1'), { status: 201, body: 'charged' })
  t.equal(upstream.requests.length, 10)
  t.match(await sidecar.post('k1'), { status: 201, headers: { 'idempotent-replayed': 'true' } })
})

test('a shutdown does not wait for a retry that is far away', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 503, 'busy', 'Retry-After: 20'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: GUARDED, graceMs: 100 })
  const answering = sidecar.post('k1')
  await until(() => upstream.requests.length > 0)
  await sidecar.stop()
  t.match(await answering, { status: 503, body: 'busy', headers: { 'proxy-status': /this process is stopping/ } })
})

test('a client that hangs up before a retry changes nothing: the retry comes, and the next request hears of it', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => number === 1 ? respond(socket, 503, 'busy', 'Retry-After: 1') : respond(socket, 201, 'charged'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: GUARDED })
  const { hostname, port } = new URL(sidecar.address)
  const client = connect(Number(port), hostname)
  client.write('POST /v1/charges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer one\r\nIdempotency-Key: k1\r\nContent-Length: 12\r\n\r\n{"amount":1}')
  await until(() => upstream.requests.length === 1)
  client.destroy()
  await until(() => upstream.requests.length === 2)
  const told = await untilTold(() => sidecar.post('k1'), ({ problem }) => problem !== 'in-flight')
  t.match(told, { status: 201, body: 'charged' })
  t.equal(upstream.requests.length, 2)
})

test('the deadline of a client reaches a passing upstream, too', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => number === 1 ? respond(socket, 200, 'ok') : undefined)
  const sidecar = await startForTest(t, upstream.origin, { yaml: PASSING.replace('methods: [GET, HEAD, PUT, DELETE]', 'deadline_from: { header: x-timeout-ms, form: ms }') })
  const headers = ['X-Timeout-Ms', '250']
  await send(sidecar.address, null, { headers })
  t.equal(field(upstream.requests[0], 'x-timeout-ms'), '250')
  t.match(await send(sidecar.address, null, { headers }), { status: 504, problem: 'upstream-timeout' })
})

for (const method of ['GET', 'PUT', 'DELETE']) {
  test(`a ${method} on a route that ignores keys is sent again where the route says so, after a connection that broke, too`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => number < 3 ? socket.resetAndDestroy() : respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: PASSING })
    t.match(await send(sidecar.address, null, { method }), { status: 200, body: 'ok' })
    t.equal(upstream.requests.length, 3)
    t.strictSame(upstream.requests.map((request) => field(request, 'onceward-attempt')), [undefined, '2', '3'])
    if (method !== 'GET') t.ok(upstream.requests.every((request) => request.endsWith('{"amount":1}')))
    t.equal(await sidecar.metric('retry_attempt_total{attempt="2",route="things"}'), 1)
  })
}

test('a client that leaves before a retry of what passes takes it along', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 503, 'busy', 'Retry-After: 1'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: PASSING })
  const { hostname, port } = new URL(sidecar.address)
  const client = connect(Number(port), hostname)
  client.write('GET /v1/charges HTTP/1.1\r\nHost: x\r\n\r\n')
  await until(() => upstream.requests.length === 1)
  while (await sidecar.metric('onceward_retries_in_flight{budget="default"}') === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  client.destroy()
  while (await sidecar.metric('http_request_outcome{class="4xx",method="GET",route="things"}') === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  t.equal(await sidecar.metric('onceward_retries_in_flight{budget="default"}'), 0)
  t.equal(upstream.requests.length, 1)
})

test('what the route does not name, or is too large to be held, is sent once', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
  const sidecar = await startForTest(t, upstream.origin, { yaml: PASSING })
  t.match(await send(sidecar.address, null, { method: 'POST' }), { status: 502, problem: 'upstream-failed' })
  t.match(await send(sidecar.address, null, { method: 'PUT', body: 'x'.repeat(1025) }), { status: 502, problem: 'upstream-failed' })
  t.equal(upstream.requests.length, 2)
})

test('a passing request that is given up is passed on as it came, with why', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 503, 'busy', 'Retry-After: 60'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: PASSING })
  t.match(await send(sidecar.address, null, { method: 'GET' }), { status: 503, body: 'busy', headers: { 'retry-after': '60', 'proxy-status': /no time left/ } })
  t.equal(upstream.requests.length, 1)
})

test('an upstream that never answers is left at the deadline of a passing request', async (t) => {
  const upstream = await scriptedUpstream(t, () => undefined)
  const sidecar = await startForTest(t, upstream.origin, { yaml: PASSING.replace('deadline: 2s', 'deadline: 300ms') })
  t.match(await send(sidecar.address, null, { method: 'GET' }), { status: 504, problem: 'upstream-timeout' })
})

test('the Stripe SDK retries at the same time: one charge each, and attempts within the budget', async (t) => {
  const charges: string[] = []
  const refusals = new Map<string, number>()
  const upstream = await scriptedUpstream(t, ({ socket, request }) => {
    const key = field(request, 'idempotency-key') ?? ''
    const seen = (refusals.get(key) ?? 0) + 1
    refusals.set(key, seen)
    if (seen <= 6) return respond(socket, 429, '{"error":{"type":"rate_limit_error","message":"slow down"}}', 'Content-Type: application/json', 'Stripe-Should-Retry: true')
    charges.push(key)
    return respond(socket, 200, JSON.stringify({ id: `ch_${key}`, object: 'charge', amount: 1, currency: 'eur' }), 'Content-Type: application/json')
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { base: 1ms, cap: 5ms } }\nbudgets: { default: { ratio: 0, min_per_second: 3, window: 60s } }' })
  const { hostname, port } = new URL(sidecar.address)
  const httpAgent = new Agent({ keepAlive: true })
  t.teardown(() => httpAgent.destroy())
  const stripe = new Stripe('sk_test_1', { protocol: 'http', host: hostname, port: Number(port), httpAgent, maxNetworkRetries: 12, telemetry: false })
  const INTENTS = 8
  await Promise.all(Array.from({ length: INTENTS }, () => stripe.charges.create({ amount: 1, currency: 'eur', source: 'tok_visa' })))
  const firsts = await sidecar.metric('idempotency_key_total{outcome="new",route="default"}')
  t.equal(charges.length, INTENTS)
  t.equal(new Set(charges).size, INTENTS, 'one charge each')
  t.ok(upstream.requests.length <= firsts + 180, `${upstream.requests.length} attempts of ${firsts} requests`)
  t.ok(upstream.requests.length > firsts, 'the sidecar retried, too')
  t.comment(`${firsts} requests of the SDK, ${upstream.requests.length} attempts, ${charges.length} charges`)
})
