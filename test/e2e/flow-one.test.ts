import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest, until } from '../support/start-sidecar.ts'

/** one attempt: what each one proves is told here, what is tried again in test/e2e/retries.test.ts */
const FILE = 'service: charges\ndefaults: { retry: { attempts: 1 } }\n'

test('a new key runs, the same request again is replayed', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 201, `charge ${number}`, 'Content-Type: text/plain', 'X-Charge: 1', 'X-Charge: 2', 'Set-Cookie: s=1', 'Date: Thu, 01 Jan 2026 00:00:00 GMT', 'X-Request-Id: r1'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
  const first = await sidecar.post('"k1"')
  t.match(first, { status: 201, body: 'charge 1', headers: { 'x-charge': ['1', '2'], 'set-cookie': 's=1', 'x-request-id': 'r1', 'idempotency-ttl': /^863\d\d|86400$/ } })
  t.equal(first.headers['idempotent-replayed'], undefined)
  const again = await sidecar.post('k1')
  t.match(again, { status: 201, body: 'charge 1', headers: { 'content-type': 'text/plain', 'x-charge': ['1', '2'], 'idempotent-replayed': 'true' } }, 'quoted or bare, it is the same key')
  t.equal(again.headers['set-cookie'], undefined)
  t.equal(again.headers['x-request-id'], undefined)
  t.not(again.headers['date'], 'Thu, 01 Jan 2026 00:00:00 GMT')
  t.equal(upstream.requests.length, 1)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="new",route="default"}'), 1)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="replay",route="default"}'), 1)
})

test('the reply outlives a restart', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `charge ${number}`))
  const dataDir = t.testdir()
  const before = await startForTest(t, upstream.origin, { yaml: FILE, dataDir })
  const first = await before.post('k1')
  await before.stop()
  const after = await startForTest(t, upstream.origin, { yaml: FILE, dataDir })
  t.match(await after.post('k1'), { status: 200, body: first.body, headers: { 'idempotent-replayed': 'true' } })
})

test('the same key with another request is refused, and the part that differed is named', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
  await sidecar.post('k1')
  const other = await sidecar.post('k1', { body: '{"amount":4242}' })
  t.match(other, { status: 422, problem: 'key-reused' })
  t.same((JSON.parse(other.body) as { differs: string[] }).differs, ['body'])
  t.notMatch(other.body, /4242|amount/)
  t.match(await sidecar.post('k1', { path: '/v1/charges?x=1' }), { status: 422 })
  t.equal(upstream.requests.length, 1)
})

test('a mismatch is judged before busy', async (t) => {
  let finish: () => void = () => undefined
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((resolve) => { arrived = resolve })
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    finish = () => respond(socket, 200, 'ok')
    arrived()
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
  const first = sidecar.post('k1')
  await seen
  t.match(await sidecar.post('k1', { body: 'other' }), { status: 422, problem: 'key-reused' })
  t.match(await sidecar.post('k1'), { status: 409, problem: 'in-flight', headers: { 'retry-after': '1' } })
  finish()
  t.equal((await first).status, 200)
})

for (const [policy, expected] of [['reject', 'one fresh answer, the rest 409 or replay'], ['{ wait: 20s }', '1,000 identical answers']] as const) {
  test(`1,000 concurrent POSTs with one key under ${policy}: one upstream call, ${expected}`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => setImmediate(() => respond(socket, 200, `charge ${number}`)))
    const sidecar = await startForTest(t, upstream.origin, { yaml: `defaults: { idempotency: { in_flight: ${policy} } }` })
    const answers = await Promise.all(Array.from({ length: 1000 }, () => sidecar.post('k1')))
    t.equal(upstream.requests.length, 1)
    const fresh = answers.filter(({ status, headers }) => status === 200 && headers['idempotent-replayed'] === undefined)
    t.equal(fresh.length, 1)
    t.ok(answers.every(({ status, body }) => (status === 200 && body === 'charge 1') || (policy === 'reject' && status === 409)))
    if (policy !== 'reject') t.equal(answers.filter(({ status }) => status === 200).length, 1000)
    t.equal(await sidecar.metric('idempotency_key_total{outcome="new",route="default"}'), 1)
  })
}

test('a lost answer leaves a doubt: everybody is told so, and nothing is sent again', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
  const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
  for (let i = 0; i < 3; i += 1) t.match(await sidecar.post('k1'), { status: 504, problem: 'outcome-unknown' })
  t.equal(upstream.requests.length, 1)
  t.match(sidecar.log(), /"cause":"connection-lost"/)
})

test('a route may answer 409 for an unknown outcome', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { unknown_status: 409 } }' })
  t.match(await sidecar.post('k1'), { status: 409, problem: 'outcome-unknown' })
})

const RELEASED: readonly [string, number, readonly string[]][] = [['429', 429, []], ['425', 425, []], ['503 with Retry-After', 503, ['Retry-After: 7']], ['401', 401, []], ['403', 403, []]]
for (const [what, status, fields] of RELEASED) {
  test(`a ${what} is passed on, and the key is free again`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => number === 1 ? respond(socket, status, 'no', ...fields) : respond(socket, 200, 'yes'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
    const first = await sidecar.post('k1')
    t.match(first, { status, body: 'no', problem: null })
    t.equal(first.headers['idempotency-ttl'], undefined)
    if (status === 503) t.equal(first.headers['retry-after'], '7')
    t.match(await sidecar.post('k1'), { status: 200, body: 'yes' })
  })
}

for (const status of [502, 503, 504, 408]) {
  test(`a ${status} is passed on once, and the key is in doubt`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, status, 'hm'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
    t.match(await sidecar.post('k1'), { status, body: 'hm' })
    t.match(await sidecar.post('k1'), { status: 504, problem: 'outcome-unknown' })
    t.equal(upstream.requests.length, 1)
  })
}

for (const status of [200, 302, 400, 404, 409, 422, 500]) {
  test(`a ${status} is an answer and is kept`, async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, status, `n${number}`))
    const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
    t.match(await sidecar.post('k1'), { status, body: 'n1' })
    t.match(await sidecar.post('k1'), { status, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  })
}

test('a route says what a status of its upstream means', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, number === 1 ? 503 : 200, `n${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { attempts: 1 }, status: { refused: [503] } }' })
  t.match(await sidecar.post('k1'), { status: 503 })
  t.match(await sidecar.post('k1'), { status: 200, body: 'n2' })
})

test('an upstream that is not there got nothing: 502, and the key is free', async (t) => {
  const gone = await scriptedUpstream(t, () => undefined)
  const sidecar = await startForTest(t, 'http://127.0.0.1:1', { yaml: FILE })
  t.match(await sidecar.post('k1'), { status: 502, problem: 'upstream-unreachable', headers: { 'proxy-status': /error=connection_refused/ } })
  t.match(await sidecar.post('k1'), { status: 502, problem: 'upstream-unreachable' }, 'no doubt and no 409 the second time')
  t.equal(gone.requests.length, 0)
})

test('a client that hangs up changes nothing: its retry gets the answer', async (t) => {
  let finish: () => void = () => undefined
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((resolve) => { arrived = resolve })
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    finish = () => respond(socket, 200, 'done')
    arrived()
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
  const { hostname, port } = new URL(sidecar.address)
  const { connect } = await import('node:net')
  const client = connect(Number(port), hostname)
  client.write('POST /v1/charges HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nIdempotency-Key: k1\r\nContent-Length: 12\r\n\r\n{"amount":1}')
  await seen
  client.resetAndDestroy()
  finish()
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status !== 409), { status: 200, body: 'done', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})

test('at the deadline the client is told that the work goes on, and later gets its answer', async (t) => {
  let finish: () => void = () => undefined
  const upstream = await scriptedUpstream(t, ({ socket }) => { finish = () => respond(socket, 200, 'late') })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { deadline: 60ms, linger: 10s } }' })
  t.match(await sidecar.post('k1'), { status: 504, problem: 'still-running' })
  t.match(await sidecar.post('k1'), { status: 409, problem: 'in-flight' })
  finish()
  t.match(await until(() => sidecar.post('k1'), ({ status }) => status !== 409), { status: 200, body: 'late', headers: { 'idempotent-replayed': 'true' } })
  t.equal(await sidecar.metric('http_request_outcome{class="timeout",method="POST",route="default"}'), 1)
})

test('an attempt that never ends is a doubt once it has lingered', async (t) => {
  const upstream = await scriptedUpstream(t, () => undefined)
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { deadline: 30ms, linger: 30ms } }' })
  t.match(await sidecar.post('k1'), { status: 504, problem: 'still-running' })
  t.match(await until(() => sidecar.post('k1'), ({ problem }) => problem !== 'in-flight'), { status: 504, problem: 'outcome-unknown' })
})

test('a reply that is too large is passed on whole, settled before its first byte, and not kept', async (t) => {
  const large = 'x'.repeat(5000)
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, large))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { kept_reply: 1000B }' })
  t.match(await sidecar.post('k1'), { status: 200, body: large })
  t.match(await sidecar.post('k1'), { status: 409, problem: 'reply-not-kept' })
  t.equal(upstream.requests.length, 1)
})

test('a body above the limit is 413 before any claim; one that fits still runs under the same key', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { request_body: 1000B }' })
  t.match(await sidecar.post('k1', { body: 'x'.repeat(1001) }), { status: 413, problem: 'body-too-large' })
  t.match(await sidecar.post('k1', { body: 'x'.repeat(1000) }), { status: 200 })
  t.equal(upstream.requests.length, 1)
})

test('bodies beyond what a process may hold are 503 before any claim', async (t) => {
  let finish: () => void = () => undefined
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((resolve) => { arrived = resolve })
  const upstream = await scriptedUpstream(t, ({ socket, number }) => {
    if (number > 1) return respond(socket, 200, 'ok')
    finish = () => respond(socket, 200, 'ok')
    arrived()
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { held_bodies: 1500B, request_body: 1000B, kept_reply: 1000B }' })
  const first = sidecar.post('k1', { body: 'x'.repeat(900) })
  await seen
  t.match(await sidecar.post('k2', { body: 'x'.repeat(900) }), { status: 503, problem: 'overloaded' })
  finish()
  await first
  t.match(await sidecar.post('k2', { body: 'x'.repeat(900) }), { status: 200 }, 'the room comes back')
})

test('under resend an orphaned key is sent again with the same key, and an in-progress status is no answer', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => {
    if (number === 1) socket.resetAndDestroy()
    else if (number === 2) respond(socket, 409, 'still working')
    else respond(socket, 200, 'done')
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { attempts: 1 }, idempotency: { when_unsure: { resend: { within: 24h, in_progress: [409] } } } }' })
  t.match(await sidecar.post('"k1"'), { status: 504, problem: 'outcome-unknown' })
  t.match(await sidecar.post('"k1"'), { status: 200, body: 'done' }, 'asked again until there was an answer')
  t.match(await sidecar.post('"k1"'), { status: 200, body: 'done', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 3)
  t.ok(upstream.requests.every((request) => request.includes('Idempotency-Key: "k1"')))
})

test('a client asks for another retention and gets it within the bounds', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { retention_bounds: { min: 1h, max: 48h } } }' })
  const ttl = async (key: string, wish: string) => Number((await sidecar.post(key, { headers: ['Authorization', 'a', 'Idempotency-TTL', wish] })).headers['idempotency-ttl'])
  t.ok(Math.abs(await ttl('a', '7200') - 7200) <= 2)
  t.ok(Math.abs(await ttl('b', '1') - 3600) <= 2, 'not less than the least')
  t.ok(Math.abs(await ttl('c', '99999999') - 48 * 3600) <= 2, 'not more than the most')
  t.ok(Math.abs(await ttl('d', 'soon') - 86400) <= 2, 'nonsense is no wish')
})

test('204, 304 and HEAD have no body, live and replayed', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => {
    if (request.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 77\r\nX-A: 1\r\n\r\n')
    else socket.write(`HTTP/1.1 ${request.includes('/204') ? 204 : 304} X\r\nX-A: 1\r\n\r\n`)
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'routes: [{ name: all, match: { path: /* } }]' })
  for (const [method, path, status] of [['POST', '/204', 204], ['POST', '/304', 304], ['HEAD', '/head', 200]] as const) {
    t.match(await sidecar.post(path.slice(1), { method, path }), { status, body: '', headers: { 'x-a': '1' } })
    t.match(await sidecar.post(path.slice(1), { method, path }), { status, body: '', headers: { 'x-a': '1', 'idempotent-replayed': 'true' } })
  }
  t.equal(upstream.requests.length, 3)
})

test('a problem of another Onceward behind this one is passed on and never stored', async (t) => {
  const body = JSON.stringify({ type: 'urn:onceward:problem:store-unavailable', may_have_run: false })
  const upstream = await scriptedUpstream(t, ({ socket, number }) => number === 1 ? respond(socket, 503, body, 'Content-Type: application/problem+json') : respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: FILE })
  t.match(await sidecar.post('k1'), { status: 503, problem: 'store-unavailable' })
  t.match(await sidecar.post('k1'), { status: 200, body: 'ok' })
})
