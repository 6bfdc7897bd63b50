import fc from 'fast-check'
import { test } from 'tap'
import { request } from 'undici'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { replacing } from '../chaos/sabotage.ts'
import { mistakesIn } from '../support/load-text.ts'
import { startForTest, type Running } from '../support/start-sidecar.ts'
import { Console } from './situation.ts'

const ALICE = 'alices-token-of-24-letters'
const BOB = 'bobs-token-of-24-letters-or-more'
const TOKENS = `admin: { tokens: [{ name: alice, token: ${ALICE} }, { name: bob, token: ${BOB} }] }`
const NOWHERE = 'http://127.0.0.1:1'

async function asked(sidecar: Running, path: string, headers: Readonly<Record<string, string>> = {}, method: 'GET' | 'POST' = 'GET', body?: string): Promise<{ status: number, type: string, text: string, challenge: string | undefined }> {
  const { statusCode, headers: received, body: answer } = await request(`${sidecar.adminAddress}${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
  const text = await answer.text()
  return { status: statusCode, type: text.startsWith('{"type"') ? (JSON.parse(text) as { type: string }).type.replace('urn:onceward:problem:', '') : '', text, challenge: String(received['www-authenticate'] ?? '') }
}

test('where there are tokens the API wants one, and metrics and health want none', async (t) => {
  const sidecar = await startForTest(t, NOWHERE, { yaml: TOKENS })
  for (const path of ['/metrics', '/healthz', '/readyz']) t.equal((await asked(sidecar, path)).status, 200, path)
  const paths = ['/api/v1/openapi.json', ...(await Console.open(sidecar, ALICE)).operations.filter(({ method }) => method === 'GET').map(({ path }) => `/api/v1${path.replaceAll(/\{\w+\}/g, 'x')}`)]
  t.ok(paths.length > 8)
  for (const path of paths) {
    t.match(await asked(sidecar, path), { status: 401, type: 'token-missing', challenge: /^Bearer / }, path)
    for (const authorization of [`Bearer ${ALICE}x`, `Bearer ${ALICE.slice(1)}`, `Bearer ${ALICE.toUpperCase()}`, 'Bearer x', `Bearer ${'x'.repeat(10_000)}`]) t.match(await asked(sidecar, path, { authorization }), { status: 401, type: 'token-invalid' })
    for (const authorization of ['Bearer', 'Basic YTpi', ALICE, `Bearer ${ALICE} ${BOB}`]) t.match(await asked(sidecar, path, { authorization }), { status: 401, type: 'token-missing' })
    for (const token of [ALICE, BOB]) t.not((await asked(sidecar, path, { authorization: `bearer ${token}` })).status, 401)
  }
  t.notMatch(sidecar.log(), new RegExp(`${ALICE}|${BOB}`))
})

test('who has a token is named in the trail, whatever else the request says', async (t) => {
  const sidecar = await startForTest(t, NOWHERE, { yaml: `${TOKENS}\nroutes: [{ name: all, match: { path: "/*" }, idempotency: { scope: none }, status: { lost: [502] } }]` })
  t.match(await sidecar.post('k1'), { status: 502 })
  const [alice, bob] = [await Console.open(sidecar, ALICE), await Console.open(sidecar, BOB)]
  t.match(await alice.ask(t, 'POST', '/keys/op_1/forget', { reason: 'x', by: 'carol' }), { status: 400 })
  t.match(await bob.ask(t, 'POST', '/keys/op_1/forget', { reason: 'x' }), { status: 404 })
})

test('a page of another origin gets nothing, and neither does a form', async (t) => {
  const sidecar = await startForTest(t, NOWHERE, { yaml: '{}' })
  const { host } = new URL(sidecar.adminAddress)
  const search = (headers: Readonly<Record<string, string>>, body = '{"key":"a"}') => asked(sidecar, '/api/v1/keys/search', headers, 'POST', body)
  for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { origin: `http://${host}.evil.example` }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
    t.match(await search({ 'content-type': 'application/json', ...headers }), { status: 403, type: 'foreign-page' })
    t.match(await asked(sidecar, '/api/v1/keys', headers), { status: 403, type: 'foreign-page' })
  }
  for (const headers of [{}, { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }]) t.match(await search({ 'content-type': 'application/json', ...headers }), { status: 200 })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) t.match(await search({ 'content-type': type }), { status: 415, type: 'media-type' })
  t.match(await search({}), { status: 415 })
  t.match(await asked(sidecar, '/api/v1/keys', { host: 'evil.example' }), { status: 421, type: 'misdirected' })
  const { headers } = await request(`${sidecar.adminAddress}/api/v1/keys`, { headers: { origin: `http://${host}` } })
  t.match(headers, { 'cache-control': 'no-store', 'access-control-allow-origin': undefined })
})

test('nothing that is not in the document is served, and what is asked wrongly is told so', async (t) => {
  const sidecar = await startForTest(t, NOWHERE, { yaml: '{}' })
  const admin = await Console.open(sidecar)
  t.ok(admin.operations.length >= 14)
  for (const { method, path } of admin.operations) {
    t.match(await asked(sidecar, `/api/v1${path}`, {}, method === 'GET' ? 'POST' : 'GET'), { status: /^40[45]$/, type: /not-found|method-not-allowed/ })
  }
  t.match(await asked(sidecar, '/api/v1/keys/search'), { status: 404 }, 'no operation is called that')
  for (const path of ['/api', '/api/v1', '/api/v2/keys', '/api/v1/keys/a/b', '/api/v1/KEYS']) t.match(await asked(sidecar, path), { status: 404, type: 'not-found' }, path)
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'state=completed', 'more=1', 'limit=1&limit=2']) t.match(await asked(sidecar, `/api/v1/keys?${query}`), { status: 400, type: 'request-invalid' }, query)
  t.match(await asked(sidecar, '/api/v1/keys/search', { 'content-type': 'application/json' }, 'POST', '{'), { status: 400, type: 'request-invalid' })
  t.match(await asked(sidecar, '/api/v1/keys/search', { 'content-type': 'application/json' }, 'POST', `{"key":"${'x'.repeat(3 * 1024 * 1024)}"}`), { status: 413, type: 'body-too-large' })
})

test('whatever is sent, the answer is no defect', async (t) => {
  const sidecar = await startForTest(t, NOWHERE, { yaml: '{}' })
  const admin = await Console.open(sidecar)
  const changing = admin.operations.filter(({ method }) => method === 'POST')
  const word = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('..', '%00', '__proto__', 'constructor'))
  await fc.assert(fc.asyncProperty(fc.constantFrom(...changing), word, fc.oneof(fc.jsonValue(), fc.record({ reason: word, key: word, id: word, as: word, limit: fc.integer(), status: fc.integer(), body_base64: word }, { requiredKeys: [] })), async ({ path }, segment, body) => {
    const { status, text } = await asked(sidecar, `/api/v1${path.replaceAll(/\{\w+\}/g, encodeURIComponent(segment.toWellFormed()) || 'x')}`, { 'content-type': 'application/json' }, 'POST', JSON.stringify(body))
    return status < 500 && (status === 200 || text.includes('urn:onceward:problem:'))
  }), { numRuns: 400 })
  t.notMatch(sidecar.log(), /admin\.failed/)
  t.pass()
})

test('a store that does not answer is 503 here, and the process says how it is', async (t) => {
  let gone = false
  const store = (own: KeyStore): KeyStore => replacing(own, {
    find: (...wanted) => (gone ? Promise.reject(new StoreUnavailable('no', 'gone')) : own.find(...wanted)),
    census: () => (gone ? Promise.reject(new StoreUnavailable('no', 'gone')) : own.census()),
  })
  const sidecar = await startForTest(t, NOWHERE, { yaml: '{}', seams: { store } })
  gone = true
  t.match(await asked(sidecar, '/api/v1/keys'), { status: 503, type: 'store-unavailable' })
  t.match(await asked(sidecar, '/api/v1/overview'), { status: 503, type: 'store-unavailable' })
  t.match(await asked(sidecar, '/healthz'), { status: 200 })
  t.match(await asked(sidecar, '/readyz'), { status: 503 })
})

test('an address that others reach takes tokens, which are no two alike', async (t) => {
  t.match(await mistakesIn('admin: { listen: 0.0.0.0:9901 }'), [/^1:18: admin\.listen: .*admin\.tokens$/])
  t.strictSame(await mistakesIn(`admin: { listen: 0.0.0.0:9901, tokens: [{ name: a, token: ${ALICE} }] }`), [])
  t.equal((await mistakesIn(`admin: { tokens: [{ name: a, token: ${ALICE} }, { name: a, token: ${BOB} }] }`)).length, 1)
  t.equal((await mistakesIn(`admin: { tokens: [{ name: a, token: ${ALICE} }, { name: b, token: ${ALICE} }] }`)).length, 1)
  const [mistake] = await mistakesIn('admin: { tokens: [{ name: a, token: short }] }')
  t.notMatch(mistake, /short/, 'a secret is not shown')
})
