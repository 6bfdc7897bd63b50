import { once } from 'node:events'
import { connect } from 'node:net'
import { test, type Test } from 'tap'
import { startReceiver } from '../chaos/relay/receiver.ts'
import { askFor, ONE } from '../support/async-cases.ts'
import { rawClient } from '../support/raw-client.ts'
import { respond, scriptedUpstream, type ScriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'
import { startTraceCollector, type ToldSpan, type TraceCollector } from '../support/trace-collector.ts'

/* Traces from end to end, told to a collector that reads OTLP. */

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const SENT = `00-${TRACE}-${PARENT}-01`
const SECRET = 'hunter2'

function yaml(url: string, more = '', sample = '100%'): string {
  return `
service: shop
tracing: { otlp: { url: "${url}", headers: { api-key: "${SECRET}" }, timeout: 1s }, sample: ${sample} }
defaults: { retry: { base: 1ms, cap: 5ms } }
${more}
`
}

function field(request: string | undefined, name: string): readonly string[] {
  return [...(request ?? '').matchAll(new RegExp(`^${name}: (.*)\r$`, 'gim'))].map((match) => match[1] ?? '')
}

interface Scene {
  readonly collector: TraceCollector
  readonly upstream: ScriptedUpstream
  readonly sidecar: Running
}

async function scene(t: Test, statuses: readonly number[] = [], more = '', sample?: string): Promise<Scene> {
  const collector = await startTraceCollector(t)
  const upstream = await scriptedUpstream(t, ({ socket, request, number }) => {
    if (request.includes('websocket')) socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n')
    else respond(socket, statuses[number - 1] ?? 201, 'done')
  })
  return { collector, upstream, sidecar: await startForTest(t, upstream.origin, { yaml: yaml(collector.url, more, sample) }) }
}

const named = (spans: readonly ToldSpan[], name: string): readonly ToldSpan[] => spans.filter((span) => span.name === name)
const servers = (spans: readonly ToldSpan[]): readonly ToldSpan[] => spans.filter(({ kind }) => kind === 'server')

test('a request goes on with its client\'s trace: one span, and claim, attempts and settle beside each other in it', async (t) => {
  const { collector, upstream, sidecar } = await scene(t, [429, 429])
  const headers = ['Authorization', `Bearer ${SECRET}`, 'traceparent', SENT, 'tracestate', 'one=1', 'Tracestate', 'two=2 , three=3']
  t.match(await sidecar.post(`key-${SECRET}`, { headers, path: `/v1/charges?token=${SECRET}`, body: `{"card":"${SECRET}"}` }), { status: 201 })
  const spans = await collector.told((told) => servers(told).length === 1)
  const [server] = servers(spans)
  t.match(server, { name: 'POST default', traceId: TRACE, parentSpanId: PARENT, failed: false, attributes: {
    'http.request.method': 'POST', 'url.path': '/v1/charges', 'http.response.status_code': 201, 'onceward.route': 'default', 'onceward.outcome': 'new', 'onceward.attempts': 3,
  } })
  t.strictSame(spans.filter((span) => span.kind !== 'server').map(({ name, parentSpanId, traceId }) => [name, parentSpanId, traceId]), ['claim', 'attempt', 'attempt', 'attempt', 'settle'].map((name) => [name, server?.spanId, TRACE]))
  const attempts = named(spans, 'attempt')
  t.strictSame(attempts.map(({ kind, failed, attributes: { 'onceward.attempt': number, 'onceward.attempt.outcome': outcome, 'http.response.status_code': status, 'http.request.resend_count': resent } }) => [kind, failed, number, outcome, status, resent]), [
    ['client', true, 1, 'refused', 429, undefined], ['client', true, 2, 'refused', 429, 1], ['client', false, 3, 'answered', 201, 2],
  ])
  t.match(attempts[0]?.attributes, { 'url.path': '/v1/charges', 'server.address': '127.0.0.1', 'server.port': Number(new URL(upstream.origin).port) })
  t.match(named(spans, 'claim')[0]?.attributes, { 'onceward.claim.outcome': 'claimed' })
  t.match(named(spans, 'settle')[0]?.attributes, { 'onceward.settle.as': 'complete', 'onceward.settle.written': 'written' })
  t.strictSame(upstream.requests.map((request) => field(request, 'traceparent')), attempts.map(({ spanId }) => [`00-${TRACE}-${spanId}-01`]), 'each attempt is the upstream\'s parent')
  t.strictSame(upstream.requests.map((request) => field(request, 'tracestate')), [['one=1,two=2,three=3'], ['one=1,two=2,three=3'], ['one=1,two=2,three=3']])
  t.match(collector.exports[0], { path: '/v1/traces', headers: { 'api-key': SECRET }, resource: { 'service.name': 'onceward', 'onceward.service': 'shop' } })
  for (const { text } of collector.exports) t.notMatch(text, new RegExp(SECRET), 'no key, credential, query or body')
  t.match(JSON.parse(sidecar.log().split('\n').find((line) => line.includes('request.settled')) ?? ''), { trace_id: TRACE, span_id: server?.spanId })
  t.notMatch(sidecar.log(), new RegExp(SECRET))
})

test('a repetition has a claim and no attempt, and names the operation of the first', async (t) => {
  const { collector, sidecar } = await scene(t)
  for (let i = 0; i < 3; i += 1) await sidecar.post('k1')
  const spans = await collector.told((told) => servers(told).length === 3)
  const [first, second, third] = servers(spans)
  t.match(spans.filter(({ parentSpanId }) => parentSpanId === third?.spanId), [{ name: 'claim', attributes: { 'onceward.claim.outcome': 'replay', 'onceward.claim.tier': 'memory' } }])
  t.match(second?.attributes, { 'onceward.outcome': 'replay', 'onceward.attempts': 0, 'onceward.operation_ref': first?.attributes['onceward.operation_ref'] })
  t.not(second?.traceId, first?.traceId)
  const within = spans.filter(({ parentSpanId }) => parentSpanId === second?.spanId)
  t.strictSame(within.map(({ name }) => name), ['claim'])
  t.match(within[0]?.attributes, { 'onceward.claim.outcome': 'replay', 'onceward.operation_ref': first?.attributes['onceward.operation_ref'] })
})

test('what is no traceparent begins a trace anew, and takes its tracestate along', async (t) => {
  const { collector, upstream, sidecar } = await scene(t)
  const wrong = [['traceparent', SENT.replace('-01', '-1')], ['traceparent', SENT.toUpperCase()], ['traceparent', SENT, 'traceparent', SENT], ['traceparent', `ff${SENT.slice(2)}`], ['traceparent', `00-${'0'.repeat(32)}-${PARENT}-01`], []]
  for (const [i, headers] of wrong.entries()) t.match(await sidecar.post(`k${i}`, { headers: ['Authorization', 'a', 'tracestate', 'one=1', ...headers] }), { status: 201 })
  const spans = await collector.told((told) => servers(told).length === wrong.length)
  t.equal(new Set(servers(spans).map(({ traceId }) => traceId)).size, wrong.length)
  t.ok(servers(spans).every(({ traceId, parentSpanId }) => traceId !== TRACE && parentSpanId === null))
  for (const [i, request] of upstream.requests.entries()) {
    t.strictSame(field(request, 'traceparent'), [`00-${servers(spans)[i]?.traceId}-${named(spans, 'attempt')[i]?.spanId}-01`])
    t.strictSame(field(request, 'tracestate'), [])
  }
})

test('a client that does not sample is heard: nothing is recorded, and its fields travel as they were sent', async (t) => {
  const { collector, upstream, sidecar } = await scene(t)
  const quiet = `00-${TRACE}-${PARENT}-00`
  await sidecar.post('k1', { headers: ['Authorization', 'a', 'traceparent', quiet, 'tracestate', 'one=1', 'tracestate', 'two=2'] })
  await sidecar.post('k2')
  const spans = await collector.told((told) => servers(told).length === 1)
  t.ok(spans.every(({ traceId }) => traceId !== TRACE))
  t.strictSame(field(upstream.requests[0], 'traceparent'), [quiet])
  t.strictSame(field(upstream.requests[0], 'tracestate'), ['one=1', 'two=2'])
  t.match(JSON.parse(sidecar.log().split('\n').find((line) => line.includes('request.settled')) ?? ''), { trace_id: TRACE, span_id: undefined })
})

test('where the ratio decides against a trace that begins here, the upstream hears of it', async (t) => {
  const { collector, upstream, sidecar } = await scene(t, [], '', '0%')
  await sidecar.post('k1')
  await sidecar.post('k2', { headers: ['Authorization', 'a', 'traceparent', SENT] })
  const spans = await collector.told((told) => servers(told).length === 1)
  t.ok(spans.every(({ traceId }) => traceId === TRACE), 'a client that samples is heard')
  t.match(field(upstream.requests[0], 'traceparent')[0], /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
})

test('a doubt, a refusal and a failing upstream are errors of their spans', async (t) => {
  const collector = await startTraceCollector(t)
  const upstream = await scriptedUpstream(t, ({ socket, number }) => (number === 1 ? void socket.destroy() : respond(socket, number === 2 ? 422 : 500, 'no')))
  const sidecar = await startForTest(t, upstream.origin, { yaml: yaml(collector.url, 'routes: [{ name: once, match: { path: /once }, idempotency: { unknown_status: 409 } }]') })
  for (const key of ['k1', 'k2', 'k3']) await sidecar.post(key, { path: '/once' })
  const spans = await collector.told((told) => servers(told).length === 3)
  t.equal(upstream.requests.length, 3)
  t.strictSame(servers(spans).map(({ failed, attributes: { 'onceward.outcome': outcome, 'error.type': type } }) => [failed, outcome, type]), [[true, 'uncertain', 'uncertain'], [false, 'new', undefined], [true, 'new', '500']])
  t.strictSame(named(spans, 'attempt').map(({ attributes: { 'onceward.attempt.outcome': outcome, 'error.type': type, 'onceward.attempt.may_have_run': ran } }) => [outcome, type, ran]), [['lost', 'connection-lost', true], ['answered', '422', true], ['answered', '500', true]])
})

test('requests that pass, handshakes and refusals have their span, too', async (t) => {
  const { collector, upstream, sidecar } = await scene(t, [], 'routes: [{ name: page, match: { path: /page }, pass: true }]')
  await sidecar.post(null, { path: '/page', method: 'GET' })
  await sidecar.post(null, { path: '/v1/charges' })
  t.equal((await sidecar.post('k1', { headers: ['Idempotency-Key', 'k2'] })).status, 400)
  t.equal((await sidecar.post(null, { path: '/a%2Fb' })).status, 400)
  const raw = rawClient(t, sidecar.address)
  raw.socket.write(`GET http://user:${SECRET}@a/b HTTP/1.1\r\nHost: a\r\n\r\n`)
  await raw.until((received) => received.includes(' 400 '))
  const client = connect(Number(new URL(sidecar.address).port), '127.0.0.1')
  client.write(['GET /page HTTP/1.1', 'Host: a', 'Content-Length: 0', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''].join('\r\n'))
  await once(client, 'data')
  client.destroy()
  const spans = await collector.told((told) => servers(told).length === 6)
  t.strictSame(servers(spans).map(({ name, attributes: { 'http.response.status_code': status } }) => [name, status]), [['GET page', 201], ['POST default', 201], ['POST default', 400], ['POST none', 400], ['GET', 400], ['GET page', 101]])
  for (const { text } of collector.exports) t.notMatch(text, new RegExp(SECRET), 'a password in front of a host is told to nobody')
  t.strictSame(named(spans, 'attempt').map(({ parentSpanId }) => parentSpanId), servers(spans).filter(({ failed, attributes }) => !failed && attributes['http.response.status_code'] !== 400).map(({ spanId }) => spanId))
  t.strictSame(upstream.requests.map((request) => field(request, 'traceparent').length), [1, 1, 1])
})

test('a delivery is linked to the requests that its events are from, and tells its receivers of them', async (t) => {
  const receiver = await startReceiver(t, () => 200)
  const { collector, sidecar } = await scene(t, [], `
routes:
  - { name: charge, match: { method: POST, path: /v1/charges }, idempotency: { scope: none }, outbox: { on: 2xx, sink: hook, type: charge.created, lane: "{key}" } }
sinks:
  hook: { webhook: { url: { plain_http: "${receiver.url}" }, allow: [127.0.0.0/8] } }
`)
  await sidecar.post('k1', { headers: ['traceparent', SENT] })
  const spans = await collector.told((told) => named(told, 'deliver hook').length === 1 && servers(told).length === 1)
  const [delivery] = named(spans, 'deliver hook')
  const [server] = servers(spans)
  t.match(delivery, { kind: 'producer', parentSpanId: null, failed: false, attributes: { 'onceward.sink': 'hook', 'onceward.events': 1, 'onceward.delivered': 1 } })
  t.not(delivery?.traceId, TRACE)
  t.strictSame(delivery?.links, [{ traceId: TRACE, spanId: server?.spanId }])
  t.match(JSON.parse(sidecar.log().split('\n').find((line) => line.includes('delivery.attempted')) ?? ''), { trace_id: TRACE, span_id: server?.spanId, delivery_trace_id: delivery?.traceId })
})

test('an accepted request is executed in the trace of the request that brought it', async (t) => {
  const sealing = `store: { sealing: { keys: [{ id: one, secret: "${Buffer.alloc(32, 3).toString('base64')}" }] } }`
  const { collector, upstream, sidecar } = await scene(t, [], `${sealing}\nroutes: [{ name: report, match: { method: POST, path: /v1/reports }, async: allowed }]`)
  const { status, headers: { location } } = await sidecar.post('k1', { path: '/v1/reports', headers: [...ONE, 'Prefer', 'respond-async', 'traceparent', SENT, 'tracestate', 'one=1'] })
  t.equal(status, 202)
  for (let asked = await askFor(sidecar, location); !asked.body.includes('completed');) asked = await askFor(sidecar, location, [...ONE, 'Prefer', 'wait=5'])
  const spans = await collector.told((told) => named(told, 'execute report').length === 1 && named(told, 'POST report').length === 1)
  const [execution] = named(spans, 'execute report')
  t.match(execution, { kind: 'consumer', traceId: TRACE, parentSpanId: named(spans, 'POST report')[0]?.spanId, attributes: { 'onceward.execution.outcome': 'completed' } })
  t.strictSame(spans.filter(({ parentSpanId }) => parentSpanId === execution?.spanId).map(({ name }) => name), ['claim', 'attempt', 'settle'])
  t.strictSame(field(upstream.requests[0], 'traceparent'), [`00-${TRACE}-${named(spans, 'attempt')[0]?.spanId}-01`])
  t.strictSame(field(upstream.requests[0], 'tracestate'), ['one=1'])
})

for (const [what, answers] of [['hangs', () => null], ['answers 503', () => 503], ['refuses', () => 400], ['is not there', 'gone']] as const) {
  test(`a collector that ${what} costs no request anything, and what it did not take is counted`, async (t) => {
    const collector = await startTraceCollector(t, answers === 'gone' ? () => 200 : answers)
    if (answers === 'gone') await collector.close()
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'done'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: yaml(collector.url) })
    for (let i = 0; i < 10; i += 1) t.equal((await sidecar.post(`k${i}`)).status, 201)
    while (await sidecar.metric('onceward_trace_spans_dropped_total{reason="export"}') < 40) await sidecar.post('k1')
    const from = performance.now()
    await sidecar.stop()
    t.ok(performance.now() - from < 5000, 'it does not wait for the collector')
    t.equal(collector.spans.length, 0)
  })
}

test('the last spans leave with the process', async (t) => {
  const { collector, sidecar } = await scene(t)
  await sidecar.post('k1')
  await sidecar.stop()
  t.strictSame(collector.spans.map(({ name }) => name).sort(), ['POST default', 'attempt', 'claim', 'settle'])
})
