import { createHmac, KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint, EncryptJWT, exportSPKI, importJWK } from 'jose'
import { test, type Test } from 'tap'
import type { TokenRules } from '../../src/core/token.ts'
import { systemClock } from '../../src/host/clock.ts'
import { JwtVerifier } from '../../src/identity/jwt.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { signingKey, startIssuer, tokenOf, unsignedToken, type Issuer } from '../support/issuer.ts'
import { NotedJournal } from '../support/quiet.ts'

const NOW_MS = 1_800_000_000_000
const CLAIMS = { iss: 'https://id.example.com', sub: 'alice', exp: NOW_MS / 1000 + 300 }

function rulesOf(issuer: Pick<Issuer, 'jwks'>, more: Partial<TokenRules> = {}): TokenRules {
  return { keys: { kind: 'url', place: issuer.jwks }, issuer: null, audience: null, ...more }
}

function verifierOf(t: Test, clock = new FakeClock(NOW_MS)): { verifier: JwtVerifier, clock: FakeClock, journal: NotedJournal } {
  const journal = new NotedJournal()
  const verifier = new JwtVerifier(clock, journal)
  t.teardown(() => verifier.close())
  return { verifier, clock, journal }
}

test('a token that its issuer has signed is verified, in every algorithm that needs a private key', async (t) => {
  const { verifier } = verifierOf(t)
  for (const alg of ['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']) {
    const key = await signingKey('k1', alg)
    const issuer = await startIssuer(t, key)
    t.match(await verifier.verify(await tokenOf(key, CLAIMS), rulesOf(issuer)), { kind: 'verified', claims: CLAIMS }, alg)
  }
})

test('a token that was changed, or signed by somebody else, is refused', async (t) => {
  const [key, stranger] = [await signingKey('k1'), await signingKey('k1')]
  const issuer = await startIssuer(t, key)
  const { verifier } = verifierOf(t)
  const token = await tokenOf(key, CLAIMS)
  const [head = '', , signature = ''] = token.split('.')
  const forged = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'mallory' })).toString('base64url')
  t.match(await verifier.verify(token, rulesOf(issuer)), { kind: 'verified' }, 'the right one is not')
  for (const wrong of [`${head}.${forged}.${signature}`, await tokenOf(stranger, CLAIMS), `${token}A`, `${head}.${forged}.`]) t.match(await verifier.verify(wrong, rulesOf(issuer)), { kind: 'invalid' }, wrong)
})

test('a token without a private key behind it is refused: none, HMAC with the public key, embedded keys', async (t) => {
  const key = await signingKey('k1', 'RS256')
  const stranger = await signingKey('k1', 'RS256')
  const issuer = await startIssuer(t, key)
  const { verifier } = verifierOf(t)
  const publicKey = await importJWK(key.published, 'RS256', { extractable: true })
  if (publicKey instanceof Uint8Array) throw new Error('not a public key')
  const pem = await exportSPKI(publicKey)
  const hmacs = [pem, pem.trim(), JSON.stringify(key.published), key.published.n ?? ''].map((secret) => {
    const unsigned = unsignedToken({ alg: 'HS256', kid: 'k1' }, CLAIMS, '')
    return unsigned + createHmac('sha256', secret).update(unsigned.slice(0, -1)).digest('base64url')
  })
  const embedded = { alg: 'RS256', jwk: stranger.published, jku: issuer.jwks, kid: await calculateJwkThumbprint(stranger.published) }
  const self = unsignedToken(embedded, CLAIMS, '').slice(0, -1)
  const signedBySelf = `${self}.${sign('sha256', Buffer.from(self), KeyObject.from(stranger.privateKey)).toString('base64url')}`
  for (const wrong of [...hmacs, unsignedToken({ alg: 'none' }, CLAIMS, ''), unsignedToken({ alg: 'None', kid: 'k1' }, CLAIMS, ''), unsignedToken({ alg: 'RS256', kid: 'k1' }, CLAIMS, ''), signedBySelf]) {
    t.match(await verifier.verify(wrong, rulesOf(issuer)), { kind: 'invalid' }, wrong)
  }
})

test('what is no signed JWT is refused, and its content is not repeated', async (t) => {
  const key = await signingKey('k1')
  const issuer = await startIssuer(t, key)
  const { verifier } = verifierOf(t)
  const encrypted = await new EncryptJWT(CLAIMS).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(new Uint8Array(32))
  const crit = unsignedToken({ alg: 'ES256', kid: 'k1', crit: ['topsecret'], topsecret: true }, CLAIMS)
  for (const wrong of ['topsecret', 'a.b', 'a.b.c', '..', '', encrypted, crit, unsignedToken({}, CLAIMS), unsignedToken({ alg: ['ES256'] }, CLAIMS)]) {
    const verdict = await verifier.verify(wrong, rulesOf(issuer))
    t.match(verdict, { kind: 'invalid' }, wrong)
    t.notMatch(JSON.stringify(verdict), /topsecret/)
  }
})

test('expired, early and foreign tokens are refused though their signature is right', async (t) => {
  const key = await signingKey('k1')
  const issuer = await startIssuer(t, key)
  const { verifier, clock } = verifierOf(t)
  const rules = rulesOf(issuer, { issuer: 'https://id.example.com', audience: 'charges' })
  const ask = async (claims: object) => await verifier.verify(await tokenOf(key, { ...CLAIMS, aud: 'charges', ...claims }), rules)
  t.match(await ask({}), { kind: 'verified' })
  t.match(await ask({ exp: NOW_MS / 1000 - 31 }), { kind: 'invalid', detail: /expired/ })
  t.match(await ask({ nbf: NOW_MS / 1000 + 60 }), { kind: 'invalid', detail: /not valid yet/ })
  t.match(await ask({ iss: 'https://evil.example.com' }), { kind: 'invalid', detail: /another issuer/ })
  t.match(await ask({ aud: 'refunds' }), { kind: 'invalid', detail: /another audience/ })
  await clock.advance(330_000)
  t.match(await ask({}), { kind: 'invalid', detail: /expired/ }, 'by the clock of the process')
})

test('after a rotation the new key is found, and the old one ends with its publication', async (t) => {
  const [old, fresh] = [await signingKey('old'), await signingKey('new')]
  const issuer = await startIssuer(t, old)
  const { verifier, clock } = verifierOf(t)
  const ask = async (key: typeof old) => (await verifier.verify(await tokenOf(key, { sub: 'alice' }), rulesOf(issuer))).kind
  t.equal(await ask(old), 'verified')
  issuer.keys = [old.published, fresh.published]
  await clock.advance(30_000)
  t.equal(await ask(fresh), 'verified')
  t.equal(await ask(old), 'verified', 'tokens that were out still are good')
  issuer.keys = [fresh.published]
  await clock.advance(30_000)
  t.equal(await ask(await signingKey('other')), 'invalid', 'looked for, and not found')
  t.equal(await ask(old), 'invalid')
  t.equal(await ask(fresh), 'verified')
})

test('a storm of unknown keys reads the published ones once in a pause', async (t) => {
  const key = await signingKey('k1')
  const issuer = await startIssuer(t, key)
  const { verifier, clock } = verifierOf(t)
  await verifier.verify(await tokenOf(key, CLAIMS), rulesOf(issuer))
  await clock.advance(30_000)
  const storm = Array.from({ length: 200 }, (_, n) => verifier.verify(unsignedToken({ alg: 'ES256', kid: `made up ${n}` }, CLAIMS), rulesOf(issuer)))
  t.ok((await Promise.all(storm)).every(({ kind }) => kind === 'invalid'))
  for (let n = 0; n < 20; n += 1) t.match(await verifier.verify(unsignedToken({ alg: 'ES256', kid: `one by one ${n}` }, CLAIMS), rulesOf(issuer)), { kind: 'invalid' })
  t.equal(issuer.reads(), 2)
  t.equal((await verifier.verify(await tokenOf(key, CLAIMS), rulesOf(issuer))).kind, 'verified', 'and the right ones pass')
})

test('a token that names no key is tried with each that fits', async (t) => {
  const keys = [await signingKey('a'), await signingKey('b'), await signingKey('c', 'RS256')]
  const issuer = await startIssuer(t, ...keys)
  const { verifier } = verifierOf(t)
  for (const key of keys) t.equal((await verifier.verify(await tokenOf(key, CLAIMS, null), rulesOf(issuer))).kind, 'verified', key.kid)
  t.equal((await verifier.verify(await tokenOf(await signingKey('d'), CLAIMS, null), rulesOf(issuer))).kind, 'invalid')
})

test('keys that cannot be had are no reason to call a token wrong', async (t) => {
  const key = await signingKey('k1')
  const token = await tokenOf(key, CLAIMS)
  const huge = JSON.stringify({ keys: Array.from({ length: 3000 }, () => key.published) })
  const answers: readonly [string, NonNullable<Issuer['answer']>][] = [
    ['no JSON', (_, response) => response.end('<html>')],
    ['an empty set', (_, response) => response.end('{"keys":[]}')],
    ['a list', (_, response) => response.end('[]')],
    ['keys that are none', (_, response) => response.end('{"keys":[null,1,"x",{"kid":"k1"}]}')],
    ['an error with the keys', (_, response) => response.writeHead(500).end(JSON.stringify({ keys: [key.published] }))],
    ['an error without end', (_, response) => response.writeHead(503).write('x')],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['a huge set', (_, response) => response.end(huge)],
    ['a huge set in chunks', (_, response) => { response.write(huge.slice(0, -2)); response.write(huge.slice(-2)) }],
    ['a reset', (request) => request.socket.resetAndDestroy()],
    ['half an answer', (_, response) => { response.writeHead(200, { 'content-length': 9999 }).write('{"keys":'); response.socket?.end() }],
    ['bytes that are no text', (_, response) => response.end(Buffer.from([0x7b, 0xff, 0x7d]))],
  ]
  for (const [what, answer] of answers) {
    const issuer = await startIssuer(t)
    issuer.answer = answer
    const { verifier, journal } = verifierOf(t)
    t.match(await verifier.verify(token, rulesOf(issuer)), { kind: 'unavailable', retryAfterMs: 5000 }, what)
    t.strictSame(journal.events, ['identity.keys-unavailable'], what)
    t.equal(issuer.reads(), 1, what)
  }
})

test('an issuer that hangs holds a request for five seconds, and the next one not at all', async (t) => {
  const key = await signingKey('k1')
  const token = await tokenOf(key, CLAIMS)
  const issuer = await startIssuer(t)
  const { verifier, clock } = verifierOf(t)
  const asked = new Promise<void>((resolve) => { issuer.answer = () => resolve() })
  const verdict = verifier.verify(token, rulesOf(issuer))
  await asked
  await clock.advance(5000)
  t.match(await verdict, { kind: 'unavailable' })
  t.match(await verifier.verify(token, rulesOf(issuer)), { kind: 'unavailable' })
  t.equal(issuer.reads(), 1)
})

test('an issuer that nobody can reach is told in the log without what was sent', async (t) => {
  const lines: object[] = []
  const journal = Object.assign(new NotedJournal(), { warn: (_: string, detail: object) => { lines.push(detail) } })
  const verifier = new JwtVerifier(systemClock(), journal)
  t.teardown(() => verifier.close())
  t.match(await verifier.verify('top.secret.token', { ...rulesOf({ jwks: 'http://127.0.0.1:1/keys' }) }), { kind: 'unavailable' })
  t.strictSame(lines, [{ keys: 'http://127.0.0.1:1/keys', cause: 'it could not be reached (ECONNREFUSED)' }])
})

test('a key that is of no use is the fault of its publisher', async (t) => {
  const key = await signingKey('k1', 'RS256')
  const issuer = await startIssuer(t)
  issuer.keys = [{ kty: 'RSA', kid: 'k1', n: 'AQAB', e: 'AQAB' }]
  const { verifier, journal } = verifierOf(t)
  t.match(await verifier.verify(await tokenOf(key, CLAIMS), rulesOf(issuer)), { kind: 'unavailable' })
  t.strictSame(journal.events, ['identity.key-unusable'])
})

test('keys are read from a file as well, and from a file that is not there they are not', async (t) => {
  const key = await signingKey('k1')
  const folder = t.testdir({ 'large.json': ' '.repeat(300_000) })
  writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.published] }))
  const { verifier } = verifierOf(t)
  const token = await tokenOf(key, CLAIMS)
  const from = (name: string): TokenRules => ({ keys: { kind: 'file', place: join(folder, name) }, issuer: null, audience: null })
  t.match(await verifier.verify(token, from('keys.json')), { kind: 'verified' })
  for (const name of ['none.json', 'large.json', '.']) t.match(await verifier.verify(token, from(name)), { kind: 'unavailable' }, name)
})
