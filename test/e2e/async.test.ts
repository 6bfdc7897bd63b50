import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { test } from 'tap'
import { asyncCases, askFor, ONE, reached, yamlOf } from '../support/async-cases.ts'
import { signingKey, startIssuer, tokenOf, unsignedToken } from '../support/issuer.ts'
import { run } from '../support/run-onceward.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { standardHeaders, WEBHOOK_SECRET } from '../support/sign-webhooks.ts'
import { startForTest, until, type Received, type Running } from '../support/start-sidecar.ts'

asyncCases(t, { fresh: () => Promise.resolve('') })

const ASYNC = ['Prefer', 'respond-async'] as const
const bearer = (token: string): readonly string[] => ['Authorization', `Bearer ${token}`]
const post = (sidecar: Running, headers: readonly string[], body = '{"n":1}'): Promise<Received> => sidecar.post('k1', { path: '/v1/reports', headers: [...headers, ...ASYNC], body })

test('I6 no leak: a token that nobody verified is asked for again, whoever else it names', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'secret'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf('') })
  const token = (n: number, sub = 'alice'): readonly string[] => bearer(unsignedToken({ alg: 'RS256' }, { iss: 'https://id.example.com', sub, iat: n }))
  const { headers: { location } } = await post(sidecar, token(1))
  for (let asked = await askFor(sidecar, location, token(1)); !asked.body.includes('secret');) asked = await askFor(sidecar, location, [...token(1), 'Prefer', 'wait=5'])
  const unknown = await askFor(sidecar, '/_onceward/operations/op_0', token(1))
  for (const other of [token(2), token(1, 'bob'), ONE, []]) {
    for (const path of [location, `${String(location)}/reply`]) {
      const { status, body } = await askFor(sidecar, path, other)
      t.strictSame([status, body], [404, unknown.body])
    }
  }
  t.match(await post(sidecar, token(2)), { status: 409, problem: 'reply-withheld' }, 'and so is a repetition with it')
  t.match(await askFor(sidecar, `${String(location)}/reply`, token(1)), { status: 201, body: 'secret' })
})

test('I6 no leak: what a cache between must not keep of the answer to a GET says so, whatever the upstream said of its answer to a POST', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'secret', 'Cache-Control: public, max-age=3600', 'CDN-Cache-Control: max-age=60', 'Expires: Thu, 01 Jan 2099 00:00:00 GMT', 'ETag: "1"'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf('') })
  const { headers: { location } } = await post(sidecar, ONE)
  await reached(sidecar, location, 'completed')
  const reply = await askFor(sidecar, `${String(location)}/reply`)
  t.match(reply, { status: 200, body: 'secret', headers: { 'cache-control': 'no-store', 'expires': undefined, 'cdn-cache-control': undefined, 'etag': '"1"' } })
  t.match(await post(sidecar, ONE), { body: 'secret', headers: { 'cache-control': 'public, max-age=3600' } }, 'a repetition of the POST gets it as it was')
})

test('a verified token is asked for its subject, not for itself; while nobody can verify it, nobody is told', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'secret'))
  const key = await signingKey('k1')
  const issuer = await startIssuer(t, key)
  const scope = `idempotency: { scope: { jwt: { claim: sub, jwks: "${issuer.jwks}" } } }`
  const dataDir = t.testdir()
  const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf('', scope), dataDir })
  const alice = async (iat: number): Promise<readonly string[]> => bearer(await tokenOf(key, { sub: 'alice', iat }))
  const { headers: { location } } = await post(sidecar, await alice(1))
  t.match(await askFor(sidecar, location, [...await alice(2), 'Prefer', 'wait=10']), { status: 200, body: /"status":"completed"/ })
  for (const other of [bearer(await tokenOf(key, { sub: 'bob' })), bearer(await tokenOf(key, {})), bearer(await tokenOf(await signingKey('k1'), { sub: 'alice' })), ONE, []]) {
    t.match(await askFor(sidecar, location, other), { status: 404, problem: 'not-found' })
  }
  await sidecar.stop()
  issuer.answer = (_, response) => { response.writeHead(500).end() }
  const blind = await startForTest(t, upstream.origin, { yaml: yamlOf('', scope), dataDir })
  t.match(await askFor(blind, location, await alice(3)), { status: 503, problem: 'identity-unavailable', headers: { 'retry-after': /./ } })
})

test('where a signature over the body is the proof, nobody is told: a question has none', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, number === 1 ? 500 : 200, 'handled'))
  const yaml = yamlOf('', `consumer: { standard_webhooks: { secrets: ["${WEBHOOK_SECRET}"] } }`).replace('async: allowed', 'async: always')
  const sidecar = await startForTest(t, upstream.origin, { yaml })
  const sent = (): Promise<Received> => sidecar.post(null, { path: '/v1/reports', headers: standardHeaders('msg_1', '{"n":1}'), body: '{"n":1}' })
  const { status, headers: { location } } = await sent()
  t.equal(status, 202)
  for (let answer = await sent(); answer.status !== 200;) answer = await sent()
  t.equal(upstream.requests.length, 2, 'what the receiver refuses is sent to it again by us, not by the sender')
  t.match(await askFor(sidecar, location, []), { status: 404, problem: 'not-found' })
  t.match(await askFor(sidecar, location, standardHeaders('msg_1', '')), { status: 404 })
})

test('a forged event is not accepted', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'handled'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf('', `consumer: { standard_webhooks: { secrets: ["${WEBHOOK_SECRET}"] } }`).replace('async: allowed', 'async: always') })
  t.match(await sidecar.post(null, { path: '/v1/reports', headers: standardHeaders('msg_1', 'other'), body: '{"n":1}' }), { status: 401, problem: 'signature-invalid' })
  t.equal(upstream.requests.length, 0)
})

test('what is stored of a request is not readable on the disk', async (t) => {
  const dataDir = t.testdir()
  const sidecar = await startForTest(t, 'http://127.0.0.1:1', { yaml: yamlOf(''), dataDir })
  await post(sidecar, ['Authorization', 'Bearer t-5ecret', 'X-Note', 'h-5ecret'], 'b-5ecret')
  await sidecar.stop()
  const files = readdirSync(dataDir).map((name) => readFileSync(join(dataDir, name), 'latin1')).join('')
  t.match(files, /operation\.accepted/, 'it is there')
  t.notMatch(files, /5ecret/)
})

test('a web page of a named origin may read what it is told', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf('', 'cors: { origins: ["https://shop.example"] }') })
  const page = [...ONE, 'Origin', 'https://shop.example']
  const accepted = await post(sidecar, page)
  t.match(accepted, { status: 202, headers: { 'access-control-allow-origin': 'https://shop.example', 'access-control-expose-headers': /Location/ } })
  t.match(await askFor(sidecar, accepted.headers['location'], page), { headers: { 'access-control-allow-origin': 'https://shop.example' } })
  t.match(await askFor(sidecar, accepted.headers['location'], ['Origin', 'https://shop.example']), { status: 404, headers: { 'access-control-allow-origin': undefined } })
  await reached(sidecar, accepted.headers['location'], 'completed')
})

test('as the page of operations says: what never ran is executed by a redrive, and before it is resolved a redrive sends nothing', async (t) => {
  let lost = true
  const upstream = await scriptedUpstream(t, ({ socket }) => (lost ? socket.destroy() : respond(socket, 201, 'made')))
  const dataDir = t.testdir()
  const yaml = yamlOf('').replace('store: {', `store: { data_dir: "${dataDir}",`)
  const config = join(dataDir, 'f.yaml')
  writeFileSync(config, `upstream: ${upstream.origin}\n${yaml}`)
  const operator = async (...words: string[]): Promise<void> => {
    const { code, output } = await run(t, [...words, '--reason', 'test', '--config', config]).ended
    t.equal(code, 0, output)
  }
  const shift = async (work: (sidecar: Running) => Promise<void>): Promise<void> => {
    const sidecar = await startForTest(t, upstream.origin, { yaml, dataDir })
    await work(sidecar)
    await sidecar.stop()
  }
  const dead = (sidecar: Running): Promise<Received> => until(() => askFor(sidecar, location), () => sidecar.log().includes('"msg":"delivery.dead"'))
  let location = ''
  await shift(async (sidecar) => {
    location = String((await post(sidecar, ONE)).headers['location'])
    await dead(sidecar)
  })
  const operation = location.slice('/_onceward/operations/'.length)
  await operator('dead-letters', 'redrive', '--id', operation)
  await shift(async (sidecar) => void t.match(await dead(sidecar), { body: /"status":"uncertain"/ }))
  t.equal(upstream.requests.length, 1)
  lost = false
  await operator('keys', 'resolve', '--operation', operation, '--as', 'not-executed')
  await shift(async (sidecar) => void t.match(await askFor(sidecar, location), { body: /"status":"dead".*"cause":"nobody knows/ }))
  t.equal(upstream.requests.length, 1, 'nothing runs by itself')
  await operator('dead-letters', 'redrive', '--id', operation)
  await shift(async (sidecar) => void t.match(await reached(sidecar, location, 'completed'), { reply: { status: 201, body: 'made' } }))
  t.equal(upstream.requests.length, 2)
})

test('what is discarded is never executed, and its key is free', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, number > 3 ? 201 : 429, 'x'))
  const dataDir = t.testdir()
  const sidecar = await startForTest(t, upstream.origin, { yaml: yamlOf(''), dataDir })
  const { headers: { location } } = await post(sidecar, ONE)
  await reached(sidecar, location, 'dead')
  await sidecar.stop()
  const { code, output } = await run(t, ['dead-letters', 'discard', '--id', String(location).slice('/_onceward/operations/'.length), '--reason', 'test', '--data-dir', dataDir]).ended
  t.equal(code, 0, output)
  const after = await startForTest(t, upstream.origin, { yaml: yamlOf(''), dataDir })
  t.match(await askFor(after, location), { status: 404 })
  t.match(await after.post('k1', { path: '/v1/reports', body: 'another' }), { status: 201 }, 'for any request')
  t.equal(upstream.requests.length, 4)
})
