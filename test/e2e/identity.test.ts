import { once } from 'node:events'
import { connect } from 'node:net'
import { test, type Test } from 'tap'
import type { KeyStore } from '../../src/core/ports.ts'
import { withWitness } from '../../src/core/witness.ts'
import { signingKey, startIssuer, tokenOf, unsignedToken } from '../support/issuer.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest, until, type Received, type Running } from '../support/start-sidecar.ts'

const scoped = (scope: string, more = ''): string => `defaults: { idempotency: { scope: ${scope}${more} } }`
const bearer = (token: string): readonly string[] => ['Authorization', `Bearer ${token}`]

/** A token of alice that nobody here can verify; each `n` is another one, as after a refresh. */
const refreshed = (n: number, sub = 'alice'): readonly string[] => bearer(unsignedToken({ alg: 'RS256' }, { iss: 'https://id.example.com', sub, iat: n }))

/** What a plant does to a store: it forgets who asked first, and hands each reply to whoever asks. */
const forgetful = (authority: KeyStore): KeyStore => new Proxy(authority, {
  get(target, name: keyof KeyStore) {
    if (name !== 'claim') return target[name].bind(target)
    const claim: KeyStore['claim'] = async (request, givenUp) => {
      const outcome = await target.claim(request, givenUp)
      return outcome.kind === 'replay' ? { ...outcome, parts: request.parts } : outcome
    }
    return claim
  },
})

/*
 * The matrix: two tenants, two principals of each, two paths, two methods, one key, each request made twice. Whatever
 * scope tells them apart, nobody may be given what was made for somebody whom that scope calls another one.
 */

interface Asker {
  readonly tenant: string
  readonly principal: string
  readonly round: number
}

interface Kind {
  readonly name: string
  readonly yaml: string
  /** the same scope, looking at something that all have in common: the leak that the matrix must see */
  readonly planted: string
  readonly headers: (asker: Asker) => Promise<readonly string[]>
  /** who is one for this scope */
  readonly one: (asker: Asker) => string
  readonly plant?: (authority: KeyStore) => KeyStore
}

async function kinds(t: Test): Promise<Kind[]> {
  const key = await signingKey('k1')
  const { jwks } = await startIssuer(t, key)
  const token = ({ tenant, principal, round }: Asker) => tokenOf(key, { iss: tenant, sub: principal, all: 'x', iat: round })
  const both = ({ tenant, principal }: Asker): string => `${tenant} ${principal}`
  const said = { yaml: scoped('credential'), headers: async (asker: Asker) => bearer(await cached(asker, token)), one: (asker: Asker) => `${both(asker)} ${asker.round}` }
  return [
    { name: 'credential', yaml: scoped('credential'), planted: scoped('credential', ', credential_headers: [x-all]'), headers: async (asker) => [...bearer(both(asker).replace(' ', '-')), 'X-All', 'x'], one: both },
    { name: 'a cookie', yaml: scoped('credential', ", credential_headers: ['cookie:session']"), planted: scoped('credential', ", credential_headers: ['cookie:all']"), headers: async (asker) => ['Cookie', `all=x; session=${both(asker).replace(' ', '-')}`], one: both },
    { name: 'tokens that nobody verified', planted: said.yaml, plant: forgetful, ...said },
    { name: 'jwt', yaml: scoped(`{ jwt: { claim: sub, jwks: "${jwks}" } }`), planted: scoped('none'), headers: async (asker) => bearer(await token(asker)), one: both },
    { name: 'header', yaml: scoped('{ header: x-tenant-id }'), planted: scoped('{ header: x-all }'), headers: async ({ tenant }) => ['X-Tenant-ID', tenant, 'X-All', 'x'], one: ({ tenant }) => tenant },
  ]
}

/** ES256 signs differently every time; a client that asks again with its token sends the same one. */
const tokens = new Map<string, Promise<string>>()
function cached(asker: Asker, make: (asker: Asker) => Promise<string>): Promise<string> {
  const name = JSON.stringify(asker)
  const known = tokens.get(name) ?? make(asker)
  tokens.set(name, known)
  return known
}

async function leaks(t: Test, kind: Kind, yaml: string, plant?: Kind['plant']): Promise<{ leaked: string[], executed: number, replayed: number }> {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => respond(socket, 200, `${/^x-asker: (.*)\r/im.exec(request)?.[1]}|${request.slice(0, request.indexOf(' HTTP'))}`))
  const sidecar = await startForTest(t, upstream.origin, plant === undefined ? { yaml } : { yaml, seams: { store: plant } })
  const leaked: string[] = []
  let replayed = 0
  for (const round of [1, 2, 1]) {
    for (const tenant of ['acme', 'beta']) {
      for (const principal of ['ann', 'bob']) {
        for (const path of ['/v1/charges', '/v1/refunds']) {
          for (const method of ['POST', 'PATCH']) {
            const asker = { tenant, principal, round }
            const { status, body, headers } = await sidecar.post('one-key', { path, method, headers: [...await kind.headers(asker), 'X-Asker', kind.one(asker)] })
            if (headers['idempotent-replayed'] === 'true') replayed += 1
            if (status === 200 ? body !== `${kind.one(asker)}|${method} ${path}` : status !== 422 && status !== 409) leaked.push(`${kind.one(asker)} got ${status} ${body}`)
          }
        }
      }
    }
  }
  return { leaked, executed: upstream.requests.length, replayed }
}

test('I6 no leak: a stored reply never reaches another identity, whatever scope tells them apart', async (t) => {
  for (const kind of await kinds(t)) {
    const { leaked, executed, replayed } = await leaks(t, kind, kind.yaml)
    t.strictSame(leaked, [], kind.name)
    t.equal(executed, kind.name === 'header' ? 2 : 4, `${kind.name}: each identity executed its own request once`)
    t.ok(replayed >= 2, `${kind.name}: and was given it again`)
    t.not((await leaks(t, kind, kind.planted, kind.plant)).leaked.length, 0, `${kind.name}: a planted leak is seen`)
  }
})

test('a refreshed token is told that the reply is not for it, and runs nothing', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 201, `secret ${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post('k1', { headers: refreshed(1) }), { status: 201, body: 'secret 1' })
  for (const from of ['the store', 'the memory', 'the memory again']) {
    const withheld = await sidecar.post('k1', { headers: refreshed(2) })
    t.match(withheld, { status: 409, problem: 'reply-withheld' }, `from ${from}`)
    t.notMatch(withheld.body + JSON.stringify(withheld.headers), /secret|idempotent-replayed/i)
    t.match(JSON.parse(withheld.body), { may_have_run: true, safe_to_retry: false, operation_ref: /^op_/ })
    t.match(await sidecar.post('k1', { headers: refreshed(1) }), { status: 201, body: 'secret 1' }, 'while the first one has it')
  }
  t.match(await sidecar.post('k1', { headers: refreshed(2), body: 'other' }), { status: 422, problem: 'key-reused' })
  t.match(await sidecar.post('k1', { headers: refreshed(1, 'bob') }), { status: 201, body: 'secret 2' }, 'bob has keys of his own')
  t.equal(upstream.requests.length, 2)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="replay",route="default"}'), 6)
  t.match(sidecar.log(), /"cause":"reply-withheld"/)
})

test('what was withheld stays withheld after a restart', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'secret'))
  const dataDir = t.testdir()
  const before = await startForTest(t, upstream.origin, { yaml: '{}', dataDir })
  await before.post('k1', { headers: refreshed(1) })
  await before.stop()
  const after = await startForTest(t, upstream.origin, { yaml: '{}', dataDir })
  t.match(await after.post('k1', { headers: refreshed(2) }), { status: 409, problem: 'reply-withheld' })
  t.match(await after.post('k1', { headers: refreshed(1) }), { status: 201, body: 'secret' })
  t.equal(upstream.requests.length, 1)
})

/** An upstream whose first answer waits until the test lets it go. */
async function held(t: Test, yaml: string): Promise<{ sidecar: Running, arrived: Promise<void>, answer: () => void, requests: readonly string[] }> {
  let answer: () => void = () => undefined
  let arrive: () => void = () => undefined
  const arrived = new Promise<void>((resolve) => { arrive = resolve })
  const { origin, requests } = await scriptedUpstream(t, ({ socket }) => {
    answer = () => respond(socket, 201, 'secret')
    arrive()
  })
  return { sidecar: await startForTest(t, origin, { yaml }), arrived, answer: () => answer(), requests }
}

test('another token does not wait for a reply that is not for it', async (t) => {
  const { sidecar, arrived, answer, requests } = await held(t, 'defaults: { idempotency: { in_flight: { wait: 10s } } }')
  const first = sidecar.post('k1', { headers: refreshed(1) })
  await arrived
  const same = sidecar.post('k1', { headers: refreshed(1) })
  const other = await sidecar.post('k1', { headers: refreshed(2) })
  t.match(other, { status: 409, problem: 'in-flight' }, 'it is answered while the first one still runs')
  answer()
  t.match(await Promise.all([first, same]), [{ status: 201, body: 'secret' }, { status: 201, body: 'secret' }])
  t.match(await sidecar.post('k1', { headers: refreshed(2) }), { status: 409, problem: 'reply-withheld' })
  t.equal(requests.length, 1)
})

test('who follows the request of another process is told the same', async (t) => {
  let busy = 0
  let first = ''
  // Another process that holds the key: the claim says busy, and what is found later is a reply made with another token.
  const elsewhere = (authority: KeyStore): KeyStore => new Proxy(authority, {
    get(target, name: keyof KeyStore) {
      const claim: KeyStore['claim'] = async (request, givenUp) => {
        if (busy++ > 0) return { kind: 'busy', retryAfterMs: 1000, operationRef: first }
        first = request.operationRef
        return await target.claim({ ...request, parts: withWitness(request.parts.replace(/\.~.*/, ''), 'of-another-process') }, givenUp)
      }
      return name === 'claim' ? claim : target[name].bind(target)
    },
  })
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'secret'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { idempotency: { in_flight: { wait: 10s } } }', seams: { store: elsewhere } })
  t.match(await sidecar.post('k1', { headers: refreshed(1) }), { status: 201 })
  t.match(await sidecar.post('k1', { headers: refreshed(2) }), { status: 409, problem: 'reply-withheld' })
  t.equal(busy, 2)
})

test('a doubt is told to every token, and another one never sends again', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => (number === 1 ? socket.resetAndDestroy() : respond(socket, 201, 'done')))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { retry: { attempts: 1 }, idempotency: { when_unsure: { resend: { within: 1h } } } }' })
  t.match(await sidecar.post('k1', { headers: refreshed(1) }), { problem: 'outcome-unknown' })
  t.match(await sidecar.post('k1', { headers: refreshed(2) }), { status: 504, problem: 'outcome-unknown' })
  t.equal(upstream.requests.length, 1)
  t.match(await sidecar.post('k1', { headers: refreshed(1) }), { status: 201, body: 'done' }, 'the first one may')
  t.match(await sidecar.post('k1', { headers: refreshed(2) }), { status: 409, problem: 'reply-withheld' })
})

test('a token is nowhere in the log', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'x'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const n of [1, 2]) await sidecar.post('k1', { headers: refreshed(n) })
  t.match(sidecar.log(), /reply-withheld/, 'the log is there')
  for (const part of (refreshed(1)[1] ?? '').replace('Bearer ', '').split('.')) t.notOk(sidecar.log().includes(part))
})

test('schemes that sign each request are refused and nothing is sent', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin) // anonymous requests may share here, these may not
  for (const headers of [['Authorization', 'AWS4-HMAC-SHA256 Credential=a'], ['Authorization', 'DPoP abc', 'DPoP', 'proof'], ['Signature', 's=:a:', 'Signature-Input', 's=()']]) {
    const refused = await sidecar.post('k1', { headers })
    t.match(refused, { status: 400, problem: 'identity-missing' })
    t.match(JSON.parse(refused.body).detail, /scope: \{header: NAME\}/)
  }
  t.match(await sidecar.post(null, { headers: ['Authorization', 'AWS4-HMAC-SHA256 Credential=a'] }), { status: 200 }, 'without a key they pass')
  t.equal(upstream.requests.length, 1)
})

test('a verified token is known by its claim, however often it is refreshed', async (t) => {
  const key = await signingKey('k1')
  const issuer = await startIssuer(t, key)
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 201, `reply ${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: scoped(`{ jwt: { claim: /realm/tenant, jwks: "${issuer.jwks}", issuer: i, audience: charges } }`) })
  const ask = async (claims: object, signer = key) => await sidecar.post('k1', { headers: bearer(await tokenOf(signer, { iss: 'i', aud: 'charges', realm: { tenant: 'acme' }, ...claims })) })
  t.match(await ask({ iat: 1 }), { status: 201, body: 'reply 1' })
  t.match(await ask({ iat: 2 }), { status: 201, body: 'reply 1', headers: { 'idempotent-replayed': 'true' } })
  t.match(await ask({ realm: { tenant: 'beta' } }), { status: 201, body: 'reply 2' })
  const refusals: [Received, RegExp][] = [
    [await ask({ realm: {} }), /has no realm\/tenant/], [await ask({ exp: 1 }), /expired/], [await ask({ iss: 'j' }), /another issuer/],
    [await ask({}, await signingKey('k1')), /signature is wrong/], [await sidecar.post('k1', { headers: bearer('opaque') }), /no JWT/],
  ]
  for (const [refused, why] of refusals) {
    t.match(refused, { status: 401, problem: 'identity-invalid', headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
    t.match(JSON.parse(refused.body), { detail: why, may_have_run: false, safe_to_retry: false })
  }
  for (const headers of [[], ['X-API-Key', 'k'], ['Authorization', 'Basic YTpi']]) t.match(await sidecar.post('k1', { headers }), { status: 400, problem: 'identity-missing' })
  t.equal(upstream.requests.length, 2)
  t.equal(issuer.reads(), 1)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="invalid",route="default"}'), 8)
})

test('without the issuer\'s keys nothing runs, and it says so', async (t) => {
  const key = await signingKey('k1')
  const issuer = await startIssuer(t, key)
  issuer.answer = (_, response) => response.writeHead(500).end('down')
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'done'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: scoped(`{ jwt: { claim: sub, jwks: "${issuer.jwks}" } }`) })
  const token = await tokenOf(key, { sub: 'alice' })
  const refused = await sidecar.post('k1', { headers: bearer(token) })
  t.match(refused, { status: 503, problem: 'identity-unavailable', headers: { 'retry-after': '5' } })
  t.match(JSON.parse(refused.body), { may_have_run: false, safe_to_retry: true })
  t.equal(upstream.requests.length, 0)
  t.equal(await sidecar.metric('idempotency_key_total{outcome="unavailable",route="default"}'), 1)
  t.match(sidecar.log(), /"cause":"its status was 500"/)
  t.notOk(sidecar.log().includes(token))
  issuer.answer = null
  t.match(await until(() => sidecar.post('k1', { headers: bearer(token) }), ({ status }) => status !== 503), { status: 201, body: 'done' })
})

test('a token is judged before any of the body is read', async (t) => {
  const issuer = await startIssuer(t, await signingKey('k1'))
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'done'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: scoped(`{ jwt: { claim: sub, jwks: "${issuer.jwks}" } }`) })
  const socket = connect(Number(new URL(sidecar.address).port), '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write('POST /v1/charges HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k1\r\nAuthorization: Bearer a.b.c\r\nContent-Length: 100\r\n\r\n')
  const [answer] = await once(socket, 'data')
  t.match(String(answer), /^HTTP\/1\.1 401 /)
})

test('a tenant header is one line that reaches the upstream', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => respond(socket, 201, /^x-tenant-id: (.*)\r/im.exec(request)?.[1] ?? 'none'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: scoped('{ header: X-Tenant-ID }') })
  t.match(await sidecar.post('k1', { headers: ['X-Tenant-Id', 'acme', 'Authorization', 'Bearer 1'] }), { status: 201, body: 'acme' })
  t.match(await sidecar.post('k1', { headers: ['x-tenant-id', 'acme', 'Authorization', 'Bearer 2'] }), { body: 'acme', headers: { 'idempotent-replayed': 'true' } })
  t.match(await sidecar.post('k1', { headers: ['X-Tenant-Id', 'beta'] }), { body: 'beta' })
  t.match(await sidecar.post('k1', { headers: ['Authorization', 'Bearer 1'] }), { status: 400, problem: 'identity-missing' })
  t.match(await sidecar.post('k1', { headers: ['X-Tenant-Id', 'acme', 'X-Tenant-Id', 'beta'] }), { status: 400, problem: 'request-invalid' })
  t.equal(upstream.requests.length, 2)
})
