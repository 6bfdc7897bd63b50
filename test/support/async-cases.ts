import type { Test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { replacing } from '../chaos/sabotage.ts'
import { askableService } from './askable-service.ts'
import { rawExchange } from './raw-client.ts'
import { heldUpstream } from './held-upstream.ts'
import { respond, scriptedUpstream } from './scripted-upstream.ts'
import { send, startForTest, until, type Received, type Running, type Sent } from './start-sidecar.ts'

/* What accepted requests owe to their clients, on whichever store. */

export interface StoreUnderTest {
  /** further members of `store`, such as `postgres: "..."`; a store of its own for each call */
  fresh(): Promise<string>
}

const ASYNC = ['Prefer', 'respond-async'] as const
export const ONE = ['Authorization', 'Bearer one'] as const
const TWO = ['Authorization', 'Bearer two'] as const

const PROBED = `retry: { attempts: 1 }
    idempotency:
      scope: { header: x-tenant }
      when_unsure:
        probe:
          get: "/v1/reports?key={key}&account={identity}"
          quiet: 1s
          timeout: 300ms
          found: { pointer: /data/0 }
          absent: { status: [200], pointer: /data/0 }
          expect: { /data/0/account: "{identity}" }
          reply: { status: 201, pointer: /data/0 }`

/** A route that accepts, with quick executions. */
export function yamlOf(store: string, route = '', more = ''): string {
  const sealing = `sealing: { keys: [{ id: one, secret: "${Buffer.alloc(32, 3).toString('base64')}" }] }`
  return `
store: { ${sealing}${store === '' ? '' : `, ${store}`} }
operations: { base: 10ms, cap: 40ms, attempts: 3, quota: 3, request_body: 4KiB }
${more}
routes:
  - name: report
    match: { method: POST, path: /v1/reports }
    async: allowed
    ${route === '' ? 'retry: { attempts: 1 }' : route}
  - name: plain
    match: { method: POST, path: /v1/plain }
`
}

export async function askFor(sidecar: Running, location: unknown, headers: readonly string[] = ONE, more: Partial<Sent> = {}): Promise<Received> {
  return await send(sidecar.address, null, { method: 'GET', path: String(location), headers, ...more })
}

export function state(received: Received): Record<string, unknown> {
  return JSON.parse(received.body) as Record<string, unknown>
}

/** Resolves with the operation once it says so. */
export async function reached(sidecar: Running, location: unknown, status: string): Promise<Record<string, unknown>> {
  return state(await until(() => askFor(sidecar, location), (received) => received.status === 200 && state(received)['status'] === status))
}

export function asyncCases(t: Test, store: StoreUnderTest): void {
  const post = (sidecar: Running, key: string, more: Partial<Sent> = {}): Promise<Received> => sidecar.post(key, { path: '/v1/reports', headers: [...ONE, ...ASYNC], ...more })

  t.test('accepted at once, executed once, and told to its own identity alone', async (t) => {
    const upstream = await heldUpstream(t)
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    const answer = await post(sidecar, 'k1')
    t.match(answer, { status: 202, headers: { 'preference-applied': 'respond-async', 'location': /^\/_onceward\/operations\/op_/, 'retry-after': '1', 'cache-control': 'no-store' } })
    const { location } = answer.headers
    t.strictSame(state(answer), { operation: String(location).slice('/_onceward/operations/'.length), status: 'accepted' })
    await upstream.arrived(1)
    t.match(state(await askFor(sidecar, location)), { status: 'running', accepted_at: /^\d{4}-.*Z$/, reply: undefined })
    t.match(await askFor(sidecar, `${String(location)}/reply`), { status: 409, problem: 'operation-unfinished', headers: { 'retry-after': '1' } })
    for (const headers of [[...ONE, ...ASYNC], ONE]) {
      const again = await post(sidecar, 'k1', { headers })
      t.match(again, { status: 202, headers: { location, 'preference-applied': headers === ONE ? undefined : 'respond-async' } }, 'a repetition hears the same')
    }
    t.match(await post(sidecar, 'k1', { body: 'another' }), { status: 422, problem: 'key-reused' })
    upstream.letGo()
    const done = await reached(sidecar, location, 'completed')
    t.match(done, { completed_at: /Z$/, kept_until: /Z$/, reply: { status: 200, body: 'n1' } })
    t.match(await askFor(sidecar, `${String(location)}/reply`), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true', 'idempotency-ttl': /^86\d{3}$/ } })
    t.match(await post(sidecar, 'k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
    t.equal(upstream.requests.length, 1)

    const unknown = await askFor(sidecar, '/_onceward/operations/op_made_up')
    t.match(unknown, { status: 404, problem: 'not-found' })
    for (const headers of [TWO, [], ['Authorization', ''], [...ONE, 'X-API-Key', 'k']]) {
      for (const path of [location, `${String(location)}/reply`]) t.strictSame(withoutDate(await askFor(sidecar, path, headers)), withoutDate(unknown), headers.join(' '))
    }
    t.match(await askFor(sidecar, location, ONE, { method: 'DELETE', body: '' }), { status: 405, problem: 'method-not-allowed', headers: { allow: 'GET, HEAD' } })
    t.match(await askFor(sidecar, location, ONE, { method: 'HEAD' }), { status: 200, body: '', headers: { 'content-length': /^\d+$/ } })
    t.match(await askFor(sidecar, `${String(location)}/other`), { status: 404, problem: 'not-found' })
    t.equal(await sidecar.metric('idempotency_key_total{outcome="new",route="report"}'), 1)
    t.equal(await sidecar.metric('idempotency_key_total{outcome="in_flight",route="report"}'), 2)
    t.equal(await sidecar.metric('idempotency_key_total{outcome="replay",route="report"}'), 1)
    t.equal(await sidecar.metric('onceward_deliveries_total{sink="operations",outcome="delivered"}'), 1)
    t.match(sidecar.log(), /"route":"report","operationRef":"op_[^"]*","end":"completed","attempts":1,"durationMs":\d+,"msg":"operation.executed"/)
  })

  t.test('the request arrives as it was sent, but for what belonged to its connection and to its acceptance', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const fields = ['Host: reports.example', 'Authorization: Bearer one', 'Prefer: respond-async, return=minimal', `TraceParent: ${traceparent}`, 'X-Odd: a', 'x-odd: b\xe9', 'Connection: close, X-Own', 'X-Own: 1', 'Keep-Alive: timeout=3', 'TE: trailers', 'X-Real-IP: 1.2.3.4', 'Idempotency-Key: k1', 'Content-Length: 4']
    const answer = await rawExchange(t, sidecar.address, `POST /v1/reports?a=%20b HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\ncaf\xe9`)
    const location = /\r\nLocation: (\S+)\r\n/.exec(answer)?.[1]
    t.match(answer, /^HTTP\/1\.1 202 Accepted\r\n/)
    await reached(sidecar, location, 'completed')
    const [request = ''] = upstream.requests
    t.match(request, /^POST \/v1\/reports\?a=%20b HTTP\/1\.1\r\n/)
    for (const line of ['Prefer: return=minimal', `TraceParent: ${traceparent}`, 'X-Odd: a\r\nx-odd: b\xe9', 'Host: reports.example', 'Idempotency-Key: k1', 'Authorization: Bearer one', 'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Proto: http']) t.ok(request.includes(`${line}\r\n`), line)
    t.notMatch(request, /respond-async|X-Own|timeout=3|^TE:|X-Real-IP|onceward-attempt/im)
    t.equal(request.match(/^Via: /gm)?.length, 1)
    t.ok(request.endsWith('\r\n\r\ncaf\xe9'), 'byte for byte')
  })

  t.test('a client that waits is given the reply itself', async (t) => {
    const upstream = await heldUpstream(t)
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    t.match(await post(sidecar, 'late', { headers: [...ONE, 'Prefer', 'respond-async, wait=0'] }), { status: 202, headers: { 'preference-applied': 'respond-async' } })
    const waiting = post(sidecar, 'k1', { headers: [...ONE, 'Prefer', 'respond-async', 'Prefer', 'wait=30'] })
    await upstream.arrived(2)
    const { headers: { location } } = await post(sidecar, 'late')
    const polling = askFor(sidecar, location, [...ONE, 'Prefer', 'wait=30'])
    const tooShort = await post(sidecar, 'late', { headers: [...ONE, 'Prefer', 'wait=1, respond-async'] })
    t.match(tooShort, { status: 202, headers: { 'preference-applied': 'respond-async, wait=1', location } })
    t.match(await askFor(sidecar, location, [...ONE, 'Prefer', 'wait=1']), { status: 200, body: /"status":"running"/, headers: { 'preference-applied': 'wait=1', 'retry-after': '1' } })
    upstream.letGo()
    const answer = await waiting
    t.match(answer, { status: 200, body: /^n[12]$/, headers: { 'idempotent-replayed': undefined, 'idempotency-ttl': /^\d+$/ } }, 'its first answer')
    t.match(await polling, { status: 200, body: /"status":"completed"/, headers: { 'preference-applied': 'wait=30' } })
    t.match(await askFor(sidecar, location, [...ONE, 'Prefer', 'wait=30']), { headers: { 'preference-applied': undefined, 'retry-after': undefined } }, 'nothing to wait for')
  })

  t.test('I2 Settle before answer: what was told with 202 survives the process, and is executed by the next one', async (t) => {
    const own = await store.fresh()
    const dataDir = t.testdir()
    const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 201, `n${number}`))
    const away = await startForTest(t, 'http://127.0.0.1:1', { yaml: yamlOf(own), dataDir })
    const { headers: { location } } = await post(away, 'k1')
    t.match(state(await askFor(away, location)), { status: /queued|running/ })
    await until(() => askFor(away, location), () => away.log().includes('not sent: connect'))
    await away.stop()
    const back = await startForTest(t, upstream.origin, { yaml: yamlOf(own), dataDir })
    t.match(await reached(back, location, 'completed'), { reply: { status: 201, body: 'n1' } })
    t.equal(upstream.requests.length, 1)
  })

  t.test('I4 Doubt is a state: lost under hold it is uncertain, never sent again, and ends when somebody has found out', async (t) => {
    let authority: KeyStore | undefined
    const upstream = await scriptedUpstream(t, ({ socket }) => socket.destroy())
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()), seams: { store: (own) => authority = own } })
    const { headers: { location } } = await post(sidecar, 'k1')
    t.match(await reached(sidecar, location, 'uncertain'), { cause: 'connection-lost', uncertain_since: /Z$/ })
    t.match(await askFor(sidecar, `${String(location)}/reply`), { status: 504, problem: 'outcome-unknown' })
    t.match(await post(sidecar, 'k1'), { status: 202, headers: { location } })
    await until(() => askFor(sidecar, location), () => sidecar.log().includes('"msg":"delivery.dead"'))
    t.match(sidecar.log(), /"cause":"nobody knows whether it was executed \(connection-lost\): resolve its key first/)
    const [record] = await authority?.find({ operationRef: String(location).slice('/_onceward/operations/'.length) }, 1) ?? []
    const reply = { kind: 'kept', reply: { status: 201, headers: ['X-Found', '1'], body: Buffer.from([0xff]), trailers: [] } } as const
    t.equal(await authority?.resolve(record?.id ?? '', record?.fence ?? 0, { as: 'completed', reply, events: [] }, { by: 'test', reason: 'found' }), 'written')
    t.match(await reached(sidecar, location, 'completed'), { reply: { status: 201, headers: [['X-Found', '1']], body_base64: '/w==', body: undefined } })
    t.match(await post(sidecar, 'k1'), { status: 201, headers: { 'x-found': '1', 'idempotent-replayed': 'true' } })
    t.equal(upstream.requests.length, 1)
  })

  t.test('under resend it is sent again, under its own key, until an answer comes', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket, number }) => (number < 3 ? socket.destroy() : respond(socket, 200, 'ok')))
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh(), 'idempotency: { when_unsure: { resend: { within: 1h } } }\n    retry: { attempts: 1 }') })
    const { headers: { location } } = await post(sidecar, 'k1')
    t.match(await reached(sidecar, location, 'completed'), { reply: { body: 'ok' } })
    t.equal(upstream.requests.length, 3)
    for (const request of upstream.requests) t.match(request, /Idempotency-Key: k1\r\n/)
  })

  t.test('under probe the service is asked: what it did is found, and what it did not do is executed then', async (t) => {
    const service = await askableService(t, (key, arrival) => ({ chargeAfterMs: key === 'absent' && arrival === 1 ? null : 0, answers: arrival > 1 }))
    const sidecar = await startForTest(t, service.origin, { yaml: yamlOf(await store.fresh(), PROBED) })
    const headers = [...ONE, 'X-Tenant', 'acme']
    for (const [key, times] of [['found', 1], ['absent', 2]] as const) {
      const { headers: { location } } = await post(sidecar, key, { headers: [...headers, ...ASYNC] })
      const done = await until(() => askFor(sidecar, location, [...headers, 'Prefer', 'wait=5']), ({ body }) => body.includes('"completed"'))
      t.match(state(done), { reply: { status: 201, body: new RegExp(`"key":"${key}"`) } }, key)
      t.strictSame([service.charged('acme', key), service.arrived.get(`acme ${key}`)], [1, times], key)
    }
  })

  t.test('who waits for what comes to nothing is told so within some seconds, not when the wait is over', async (t) => {
    let answer = (): void => undefined
    const upstream = await scriptedUpstream(t, ({ socket }) => { answer = () => respond(socket, 429, 'no') })
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    const { headers: { location } } = await post(sidecar, 'k1')
    const waiting = askFor(sidecar, location, [...ONE, 'Prefer', 'wait=60'])
    const at = performance.now()
    for (let n = 1; n <= 3; n += 1) {
      await until(() => askFor(sidecar, location), () => upstream.requests.length === n)
      answer()
    }
    t.match(await waiting, { status: 200, body: /"status":"dead"/, headers: { 'preference-applied': 'wait=60' } })
    t.ok(performance.now() - at < 30_000)
  })

  t.test('what comes to nothing is executed as often as it may be, then is dead, and keeps its key', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 429, 'later'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    const { headers: { location } } = await post(sidecar, 'k1')
    t.match(await reached(sidecar, location, 'dead'), { cause: 'the upstream answered 429' })
    t.equal(upstream.requests.length, 3)
    t.match(await post(sidecar, 'k1'), { status: 202, headers: { location } })
    t.match(await askFor(sidecar, `${String(location)}/reply`), { status: 409, problem: 'operation-unfinished', headers: { 'retry-after': undefined } })
    t.match(await post(sidecar, 'k1', { body: 'another' }), { status: 422 })
    t.equal(upstream.requests.length, 3)
  })

  t.test('one identity cannot fill the queue for the others', async (t) => {
    const upstream = await heldUpstream(t)
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh(), '', 'breaker: { ratio: 1 }') })
    for (const key of ['a', 'b', 'c']) t.equal((await post(sidecar, key)).status, 202)
    t.match(await post(sidecar, 'd'), { status: 429, problem: 'quota-exceeded', headers: { 'retry-after': '10' } })
    t.match(await post(sidecar, 'a'), { status: 202 }, 'what was accepted is not asked for its quota')
    t.match(await post(sidecar, 'd', { headers: [...TWO, ...ASYNC] }), { status: 202 })
    upstream.letGo()
    await until(() => post(sidecar, 'd'), ({ status }) => status === 202)
  })

  t.test('a body may be so large, and no larger', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    t.match(await post(sidecar, 'k1', { body: 'x'.repeat(4097) }), { status: 413, problem: 'body-too-large', body: /at most 4096 bytes/ })
    t.match(await post(sidecar, 'k1', { body: 'x'.repeat(4097), headers: ONE }), { status: 200 }, 'served at once it may be larger')
    t.match(await post(sidecar, 'k2', { body: 'x'.repeat(4096) }), { status: 202 })
  })

  t.test('who does not ask is served at once, and so is everybody where the route accepts nothing', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    t.match(await post(sidecar, 'k1', { headers: [...ONE, 'Prefer', 'wait=5'] }), { status: 200, body: 'ok' })
    t.match(await post(sidecar, 'k1'), { status: 200, headers: { 'idempotent-replayed': 'true' } }, 'known already')
    t.match(await post(sidecar, 'k2', { path: '/v1/plain' }), { status: 200, headers: { 'preference-applied': undefined } })
    t.match(upstream.requests[1], /Prefer: respond-async\r\n/, 'there the preference is the upstream\'s to hear')
    const always = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh(), 'idempotency: { key: required }').replace('async: allowed', 'async: always') })
    t.match(await post(always, 'k1', { headers: ONE }), { status: 202, headers: { 'preference-applied': undefined } })
    t.match(await post(always, 'k2', { headers: [...ONE, 'Prefer', 'wait=30'] }), { status: 200, body: 'ok' })
  })

  t.test('while the store does not answer nothing is accepted, whatever the route says of outages', async (t) => {
    let outage: 'no' | 'unknown' | null = null
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
    const yaml = yamlOf(await store.fresh(), 'idempotency: { store_outage: open }')
    const seams = { store: (own: KeyStore) => replacing(own, { accept: (request, work) => (outage === null ? own.accept(request, work) : Promise.reject(new StoreUnavailable(outage, 'away'))) }) }
    const sidecar = await startForTest(t, upstream.origin, { yaml, seams })
    outage = 'no'
    t.match(await post(sidecar, 'k1'), { status: 503, problem: 'store-unavailable', body: /"may_have_run":false/ })
    outage = 'unknown'
    t.match(await post(sidecar, 'k1'), { status: 503, problem: 'outcome-not-recorded', body: /"may_have_run":true,"safe_to_retry":true/ })
    t.equal(upstream.requests.length, 0)
    outage = null
    t.match(await post(sidecar, 'k1'), { status: 202 })
  })

  t.test('a drain begins nothing, lets what is under way end, and leaves the rest for the next process', async (t) => {
    const own = await store.fresh()
    const dataDir = t.testdir()
    const upstream = await heldUpstream(t)
    const yaml = yamlOf(own).replace('operations: {', 'operations: { concurrency: 1,')
    const sidecar = await startForTest(t, upstream.origin, { yaml, dataDir, graceMs: 10_000 })
    const first = await post(sidecar, 'k1')
    await upstream.arrived(1)
    const second = await post(sidecar, 'k2')
    const polling = askFor(sidecar, second.headers['location'], [...ONE, 'Prefer', 'wait=30'])
    await until(() => askFor(sidecar, first.headers['location']), ({ body }) => body.includes('running'))
    const stopped = sidecar.stop()
    t.match(await polling, { status: 200, body: /"status":"queued"/ }, 'who waits is answered')
    upstream.letGo()
    await stopped
    t.equal(upstream.requests.length, 1)
    t.match(sidecar.log(), /"end":"completed"/)
    const next = await startForTest(t, upstream.origin, { yaml, dataDir })
    t.match(await askFor(next, first.headers['location']), { body: /"status":"completed".*"body":"n1"/ })
    await reached(next, second.headers['location'], 'completed')
    t.equal(upstream.requests.length, 2)
  })

  t.test('a reload that takes async away leaves what was accepted to be executed, and looked at', async (t) => {
    const upstream = await heldUpstream(t)
    const own = await store.fresh()
    const yaml = yamlOf(own).replace('operations: {', 'operations: { concurrency: 1,')
    const sidecar = await startForTest(t, upstream.origin, { yaml })
    const [first, second] = [await post(sidecar, 'k1'), await post(sidecar, 'k2')]
    await upstream.arrived(1)
    await sidecar.reconfigure(yaml.replace('    async: allowed\n', ''))
    t.match(sidecar.log(), /config\.reloaded/)
    upstream.letGo()
    for (const { headers } of [first, second]) await reached(sidecar, headers['location'], 'completed')
    t.match(await post(sidecar, 'k3'), { status: 200, body: 'n3' }, 'and what comes now is served at once')
    await sidecar.reconfigure(yaml.replace('operations: {', 'operations: { longest_wait: 1s,'))
    t.equal((await post(sidecar, 'k4')).status, 202, 'until it is there again')
  })

  t.test('work whose route is gone waits, uncounted, until there is one of its name', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 503, 'away', 'Retry-After: 0'))
    const yaml = yamlOf(await store.fresh())
    const sidecar = await startForTest(t, upstream.origin, { yaml })
    const { headers: { location } } = await post(sidecar, 'k1')
    await sidecar.reconfigure(yaml.replace('name: report', 'name: renamed').replace('async: allowed', 'pass: true').replace('    retry: { attempts: 1 }\n', ''))
    await until(() => askFor(sidecar, location), () => sidecar.log().includes('operation.without-route'))
    t.match(await askFor(sidecar, location), { status: 404 }, 'whose it is cannot be said meanwhile')
    await sidecar.reconfigure(yaml)
    t.match(state(await askFor(sidecar, location)), { status: /queued|running/ })
  })

  t.test('nothing of what is stored is readable in logs and metrics', async (t) => {
    const upstream = await scriptedUpstream(t, ({ socket }) => socket.destroy())
    const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(await store.fresh()) })
    const { headers: { location } } = await post(sidecar, 'k-5ecret', { body: 'b-5ecret', headers: ['Authorization', 'Bearer t-5ecret', 'X-Note', 'h-5ecret', ...ASYNC] })
    await until(() => askFor(sidecar, location, ['Authorization', 'Bearer t-5ecret']), ({ body }) => body.includes('uncertain'))
    const seen = `${sidecar.log()}${await (await fetch(`${sidecar.adminAddress}/metrics`)).text()}`
    t.notMatch(seen, /5ecret/)
    t.match(seen, /operation\.executed/)
  })
}

function withoutDate({ status, headers, body }: Received): object {
  const { date, ...rest } = headers
  return { status, headers: rest, body, dated: typeof date }
}
