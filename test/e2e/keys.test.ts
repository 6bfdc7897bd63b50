import { test, type Test } from 'tap'
import type { KeyStore } from '../../src/core/ports.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const WHO = ['Authorization', 'Bearer one']

/** A sidecar whose only route has this policy, and a counting upstream. */
async function sidecarWith(t: Test, idempotency: string, more = '') {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 201, `run ${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: `${more}\nroutes: [{ name: r, match: { path: /* }, idempotency: { ${idempotency} } }]\n` })
  const post = (headers: readonly string[], body = '{"amount":1}') => sidecar.post(null, { headers: [...WHO, ...headers], body })
  return { sidecar, upstream, post }
}

test('the key is in the header that the route names, and travels on unchanged', async (t) => {
  const { upstream, post } = await sidecarWith(t, 'key: required, key_from: { header: Webhook-Id }')
  t.match(await post(['webhook-id', 'msg_1']), { status: 201, body: 'run 1' })
  t.match(await post(['WEBHOOK-ID', 'msg_1']), { status: 201, body: 'run 1', headers: { 'idempotent-replayed': 'true' } })
  t.match(await post(['webhook-id', 'msg_1'], '{"amount":2}'), { status: 422, problem: 'key-reused' })
  t.match(await post(['webhook-id', 'msg_2']), { status: 201, body: 'run 2' })
  t.match(upstream.requests[0], /\r\nwebhook-id: msg_1\r\n/i)
  t.match(await post([]), { status: 400, problem: 'key-missing', body: /an Idempotency-Key or webhook-id/ })
  t.match(await post(['webhook-id', 'a', 'webhook-id', 'b']), { status: 400, problem: 'key-invalid' })
  t.equal(upstream.requests.length, 2)
})

test('one word in two places is two keys', async (t) => {
  const { upstream, post } = await sidecarWith(t, 'key: required, key_from: { header: webhook-id }')
  t.match(await post(['webhook-id', 'x']), { body: 'run 1' })
  t.match(await post(['idempotency-key', 'x']), { body: 'run 2' })
  t.match(await post(['idempotency-key', 'x', 'webhook-id', 'other']), { body: 'run 2', headers: { 'idempotent-replayed': 'true' } }, 'the Idempotency-Key goes first')
  t.equal(upstream.requests.length, 2)
})

test('two headers make one key, and half of it none', async (t) => {
  const { upstream, post } = await sidecarWith(t, 'key_from: { headers: [ce-source, ce-id] }')
  t.match(await post(['ce-source', 'a', 'ce-id', 'b:c']), { body: 'run 1' })
  t.match(await post(['ce-source', 'a:b', 'ce-id', 'c']), { body: 'run 2' })
  t.match(await post(['ce-id', 'c', 'ce-source', 'a:b']), { body: 'run 2', headers: { 'idempotent-replayed': 'true' } })
  t.match(await post(['ce-id', 'c']), { status: 400, problem: 'key-invalid' })
  t.equal(upstream.requests.length, 2)
  t.match(await post([]), { body: 'run 3' }, 'a key is optional here, so none at all passes')
  t.match(await post([]), { body: 'run 4' })
})

test('the key is a member of the body', async (t) => {
  const { sidecar, upstream, post } = await sidecarWith(t, 'key: required, key_from: { pointer: /event/id }')
  t.match(await post([], '{"event":{"id":"e1"}}'), { body: 'run 1' })
  t.match(await post([], '{"event":{"id":"e1"}}'), { body: 'run 1', headers: { 'idempotent-replayed': 'true' } })
  t.match(await post([], '{"event":{"id":"e1"},"more":1}'), { status: 422, problem: 'key-reused' })
  t.match(await post([], '{"event":{"id":12345678901234567890}}'), { body: 'run 2' })
  t.match(await post([], '{"event":{"id":12345678901234567891}}'), { body: 'run 3' })
  t.match(await post(['Idempotency-Key', 'k'], 'no JSON'), { body: 'run 4' }, 'with an Idempotency-Key nobody looks for another')
  t.match(await post([], '{"event":{}}'), { status: 400, problem: 'key-missing', body: /a value at \/event\/id of its body/ })
  for (const body of ['no JSON', '{"event":{"id":"a","id":"b"}}', '{"event":{"id":{}}}']) t.match(await post([], body), { status: 400, problem: 'key-invalid' }, body)
  t.equal(upstream.requests.length, 4)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="missing",route="r"}'), 1)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="invalid",route="r"}'), 3)
})

test('a body that was refused for its key gives its room back', async (t) => {
  const { post } = await sidecarWith(t, 'key: required, key_from: { pointer: /id }', 'limits: { request_body: 16KiB, held_bodies: 16KiB, kept_reply: 1KiB }')
  const filler = 'x'.repeat(10_000)
  for (let i = 0; i < 3; i += 1) t.match(await post([], `{"other":"${filler}"}`), { problem: 'key-missing' })
  t.match(await post([], `{"id":"a","filler":"${filler}"}`), { status: 201 })
})

test('Idempotency_Key is another header: it travels on and protects nothing', async (t) => {
  const optional = await sidecarWith(t, 'key: optional')
  t.match(await optional.post(['Idempotency_Key', 'k']), { body: 'run 1' })
  t.match(await optional.post(['Idempotency_Key', 'k']), { body: 'run 2' })
  t.match(optional.upstream.requests[0], /\r\nidempotency_key: k\r\n/i)
  const required = await sidecarWith(t, 'key: required')
  t.match(await required.post(['Idempotency_Key', 'k']), { problem: 'key-missing' })
})

test('a route that ignores keys passes them on', async (t) => {
  const { upstream, post } = await sidecarWith(t, 'key: ignored, key_from: { header: webhook-id }')
  for (const run of [1, 2]) t.match(await post(['Idempotency-Key', 'k', 'webhook-id', 'w']), { body: `run ${run}` })
  t.match(upstream.requests[1], /\r\nidempotency-key: k\r\n/i)
})

test('under mode json a retry may be written anew, but for another operation', async (t) => {
  const { upstream, post } = await sidecarWith(t, 'fingerprint: { mode: json, exclude: [/sent_at] }')
  const send = (body: string) => post(['Idempotency-Key', 'k', 'Content-Type', 'application/json'], body)
  t.match(await send('{"amount":1,"sent_at":1}'), { body: 'run 1' })
  t.match(await send('{ "sent_at": 2, "amount": 1.0 }'), { body: 'run 1', headers: { 'idempotent-replayed': 'true' } })
  t.match(await send('{"amount":2,"sent_at":1}'), { status: 422, body: /"differs":\["body"\]/ })
  t.equal(upstream.requests.length, 1)
})

test('a multipart retry with a new boundary is the same request', async (t) => {
  const { upstream, post } = await sidecarWith(t, 'key: required')
  const send = (boundary: string, content: string) => post(['Idempotency-Key', 'k', 'Content-Type', `multipart/form-data; boundary=${boundary}`], `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n${content}\r\n--${boundary}--\r\n`)
  t.match(await send('one', 'same'), { body: 'run 1' })
  t.match(await send('two', 'same'), { body: 'run 1', headers: { 'idempotent-replayed': 'true' } })
  t.match(await send('three', 'other'), { status: 422 })
  t.equal(upstream.requests.length, 1)
})

test('an edited policy turns no old key into a mismatch, and lets no other request pass for the old one', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 201, `run ${number}`))
  const dataDir = t.testdir()
  const POLICIES = ['mode: raw', 'mode: raw, headers: [x-version]', 'mode: json', 'mode: json, headers: [x-version], exclude: [/sent_at]']
  const sent = (policy: number, change: { readonly version?: string, readonly body?: string } = {}) => ({
    key: `k${policy}`, headers: [...WHO, 'Content-Type', 'application/json', 'X-Version', change.version ?? '1'], body: change.body ?? '{"amount":1,"sent_at":1}',
  })
  for (const [now, fingerprint] of POLICIES.entries()) {
    const sidecar = await startForTest(t, upstream.origin, { yaml: `defaults: { idempotency: { fingerprint: { ${fingerprint} } } }\n`, dataDir })
    const post = ({ key, ...more }: ReturnType<typeof sent>) => sidecar.post(key, more)
    t.match(await post(sent(now)), { status: 201, body: `run ${now + 1}` })
    for (let old = 0; old < now; old += 1) {
      for (const from of ['the store', 'memory']) t.match(await post(sent(old)), { status: 201, body: `run ${old + 1}`, headers: { 'idempotent-replayed': 'true' } }, `a key of policy ${old} under policy ${now}, from ${from}`)
      t.match(await post(sent(old, { body: '{"amount":2,"sent_at":1}' })), { status: 422, body: /"differs":\["body"\]/ }, `another body under a key of policy ${old}`)
    }
    if (now > 1) t.match(await post(sent(1, { version: '2' })), { status: 422, body: /"differs":\["headers"\]/ }, 'what counted when the key was made still counts')
    if (now > 0) t.match(await post(sent(0, { version: '2' })), { status: 201, body: 'run 1' }, 'and what did not, does not')
    await sidecar.stop()
  }
  t.equal(upstream.requests.length, POLICIES.length)
})

/** The real store; while `newer` says so, records are made as a version with another kind of specification makes them. */
function writtenByNewer(authority: KeyStore, newer: () => boolean): KeyStore {
  const claim: KeyStore['claim'] = (wish, givenUp) => authority.claim(newer() ? { ...wish, spec: '[3,"cbor",[]]', fingerprint: 'F'.repeat(43) } : wish, givenUp)
  return new Proxy(authority, { get: (target, name: keyof KeyStore) => (name === 'claim' ? claim : target[name].bind(target)) })
}

test('a record of a newer version is neither run nor called a mismatch', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 201, `run ${number}`))
  let newer = true
  const sidecar = await startForTest(t, upstream.origin, {
    yaml: '',
    seams: { store: (authority) => writtenByNewer(authority, () => newer) },
  })
  t.match(await sidecar.post('k'), { status: 201 })
  newer = false
  t.match(await sidecar.post('k'), { status: 503, problem: 'record-too-new', headers: { 'retry-after': '1' }, body: /"operation_ref":"op_/ })
  t.equal(upstream.requests.length, 1)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="unavailable",route="default"}'), 1)
  t.match(sidecar.log(), /"cause":"record-too-new"/)
})
