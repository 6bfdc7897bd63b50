import fc from 'fast-check'
import { test } from 'tap'
import type { CredentialPolicy } from '../../src/core/credential.ts'
import { keyId } from '../../src/core/key.ts'
import { byClaim, identify, type ScopePolicy, type TokenScope } from '../../src/core/scope.ts'

const POLICY: CredentialPolicy = { kind: 'credential', headers: ['authorization', 'x-api-key'], anonymous: 'refuse' }
const TENANT: ScopePolicy = { kind: 'header', header: 'x-tenant-id' }
const TOKEN: TokenScope = { kind: 'jwt', claim: ['sub'], keys: { kind: 'url', place: 'https://id.example.com/keys' }, issuer: null, audience: null }

test('different credentials are different identities, and the same one is the same', async (t) => {
  const one = identify(['Authorization', 'Bearer a'], POLICY)
  t.same(one, identify(['Host', 'x', 'authorization', 'Bearer a'], POLICY))
  t.not(JSON.stringify(one), JSON.stringify(identify(['Authorization', 'Bearer b'], POLICY)))
  t.not(JSON.stringify(one), JSON.stringify(identify(['X-API-Key', 'Bearer a'], POLICY)), 'the same text in another header is another credential')
  t.not(JSON.stringify(one), JSON.stringify(identify(['Authorization', 'Bearer a', 'X-Api-Key', 'k'], POLICY)))
})

test('a request without a credential is refused rather than put under a common identity', async (t) => {
  for (const fields of [['Host', 'x'], ['Authorization', ''], ['Authorization', 'Bearer'], ['Authorization', 'basic '], ['X-API-Key', ' ']]) {
    t.match(identify(fields, POLICY), { kind: 'missing', detail: /authorization, x-api-key/ }, fields.join())
  }
})

test('anonymous requests share a scope only where the configuration says so', async (t) => {
  const shared = identify([], { ...POLICY, anonymous: 'share' })
  t.equal(shared.kind, 'known')
  t.not(JSON.stringify(shared), JSON.stringify(identify([], { kind: 'none' })), 'and never the scope of everybody')
})

test('a credential is not part of the identity as text', async (t) => {
  t.notMatch(JSON.stringify(identify(['Authorization', 'Bearer topsecret'], POLICY)), /topsecret/)
})

test('a field that Connection would strip upstream says nothing about who asks', async (t) => {
  t.equal(identify(['Connection', 'authorization', 'Authorization', 'Bearer a'], POLICY).kind, 'malformed')
  t.equal(identify(['Connection', 'close, X-Tenant-Id', 'X-Tenant-Id', 'a'], TENANT).kind, 'malformed')
  t.equal(identify(['Connection', 'Authorization', 'Authorization', 'Bearer a'], TOKEN).kind, 'malformed')
  t.equal(identify(['Connection', 'cookie', 'Cookie', 'session=a'], { ...POLICY, headers: ['cookie:session'] }).kind, 'malformed')
})

test('a tenant header is one line with a value', async (t) => {
  t.equal(identify(['X-Tenant-ID', 'a'], TENANT).kind, 'known')
  t.equal(identify([], TENANT).kind, 'missing')
  t.equal(identify(['x-tenant-id', ' '], TENANT).kind, 'missing')
  t.equal(identify(['x-tenant-id', 'a', 'X-Tenant-Id', 'a'], TENANT).kind, 'malformed', 'two lines could be read as two tenants')
  t.same(identify(['x-tenant-id', 'a', 'authorization', 'Bearer 1'], TENANT), identify(['X-TENANT-ID', 'a', 'authorization', 'Bearer 2'], TENANT))
})

test('a token scope asks for one bearer token', async (t) => {
  t.match(identify(['authorization', 'bearer  abc '], TOKEN), { kind: 'token', token: 'abc' })
  for (const value of ['Basic YTpi', 'Bearer', 'Bearer a b', 'DPoP abc', 'abc', '']) t.equal(identify(['authorization', value], TOKEN).kind, 'missing', value)
  t.equal(identify([], TOKEN).kind, 'missing')
  t.equal(identify(['authorization', 'Bearer a', 'authorization', 'Bearer a'], TOKEN).kind, 'malformed')
})

test('a claim names who asks if it is a text or a whole number', async (t) => {
  for (const sub of ['a', 0, 7, '7', '\ud800']) t.equal(byClaim({ sub }, TOKEN)?.kind, 'known', JSON.stringify(sub))
  for (const sub of ['', null, true, 7.5, 2 ** 53, {}, [], ['a'], undefined]) t.equal(byClaim({ sub }, TOKEN), undefined, JSON.stringify(sub))
  t.not(byClaim({ sub: 7 }, TOKEN)?.identity, byClaim({ sub: '7' }, TOKEN)?.identity)
  t.not(byClaim({ sub: '\ud800' }, TOKEN)?.identity, byClaim({ sub: '\ud801' }, TOKEN)?.identity, 'half pairs are one in UTF-8, and stay two here')
  t.equal(byClaim({ realm: { tenant: 'x' } }, { ...TOKEN, claim: ['realm', 'tenant'] })?.kind, 'known')
  for (const claim of [['realm', 'tenant', 'length'], ['realm', 'toString'], ['__proto__', 'x'], ['list', '0']]) t.equal(byClaim({ realm: { tenant: 'x' }, list: ['a'] }, { ...TOKEN, claim }), undefined, claim.join('/'))
})

test('the same name from two issuers is two identities', async (t) => {
  t.not(byClaim({ iss: 'a', sub: '7' }, TOKEN)?.identity, byClaim({ iss: 'b', sub: '7' }, TOKEN)?.identity)
  const elsewhere: TokenScope = { ...TOKEN, keys: { kind: 'url', place: 'https://evil.example.com/keys' } }
  t.not(byClaim({ iss: 'a', sub: '7' }, TOKEN)?.identity, byClaim({ iss: 'a', sub: '7' }, elsewhere)?.identity, 'other keys may vouch for the same name')
  t.equal(byClaim({ iss: 'a', sub: '7' }, { ...TOKEN, issuer: 'a' })?.identity, byClaim({ iss: 'a', sub: '7' }, { ...elsewhere, issuer: 'a' })?.identity, 'a configured issuer may move its keys')
})

/*
 * No input makes two identities share an id. Texts are made of what separates: lengths, colons, quotes, brackets, and
 * the names of the kinds themselves, so that one identity would be written inside another one's text if it could.
 */
const word = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom('1', '2', ':', 'a', ',', '"', '[', ']', '\\', '\n', '\ud800', '\ufffd'), minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom('none', 'anonymous', 'a1:b', '1:a1:b', 'header:a', 'token:x', '["a","b"]', '13:authorization1:a', 'x-api-key') },
)
const visible = word.map((text) => Buffer.from(text).toString('latin1').replace(/[\n\s]/g, '_'))
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const scoped = (claim: string[], issuer: string | null): TokenScope => ({ ...TOKEN, claim, issuer })

/** What was asked, as data that two askers share if and only if they are the same, and the identity that it got. */
const asker = fc.oneof(
  fc.record({ kind: fc.constant('none') }),
  fc.record({ kind: fc.constant('anonymous') }),
  fc.record({ kind: fc.constant('header'), name: fc.constantFrom('a', 'b', 'authorization'), value: visible }),
  fc.record({ kind: fc.constant('key'), values: fc.array(visible, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('two'), one: visible, other: visible }),
  fc.record({ kind: fc.constant('cookie'), value: visible.map((text) => text.replaceAll(';', '_')) }),
  fc.record({ kind: fc.constant('said'), iss: word, sub: word, key: fc.option(visible) }),
  fc.record({ kind: fc.constant('claim'), claim: fc.array(word, { minLength: 1, maxLength: 2 }), iss: fc.option(word), value: fc.oneof(word, fc.nat(3)), configured: fc.boolean() }),
)

type Asker = typeof asker extends fc.Arbitrary<infer A> ? A : never

function identityOf(of: Asker): string {
  const wanted = ask(of)
  if (wanted?.kind !== 'known') throw new Error(`${JSON.stringify(of)} is ${wanted?.kind}`)
  return wanted.identity
}

function ask(of: Asker): ReturnType<typeof identify> | undefined {
  if ('name' in of) return identify([of.name, of.value], { kind: 'header', header: of.name })
  if ('values' in of) return identify(of.values.flatMap((value) => ['X-API-Key', value]), POLICY)
  if ('one' in of) return identify(['Authorization', of.one, 'X-API-Key', of.other], POLICY)
  if ('sub' in of) return identify(['Authorization', `Bearer ${part({ alg: 'RS256' })}.${part({ iss: of.iss, sub: of.sub })}.c2ln`, ...(of.key === null ? [] : ['X-API-Key', of.key])], POLICY)
  if ('claim' in of) {
    const claims = of.claim.reduceRight<unknown>((inner, name) => ({ [name]: inner }), of.value)
    return byClaim({ ...(claims as object), ...(of.iss === null || of.claim[0] === 'iss' ? {} : { iss: of.iss }) }, scoped(of.claim, of.configured ? of.iss : null))
  }
  if ('value' in of) return identify(['Cookie', `session=${of.value}`], { ...POLICY, headers: ['cookie:session'] })
  return identify([], of.kind === 'none' ? { kind: 'none' } : { ...POLICY, anonymous: 'share' })
}

/** Askers that are one by intention: a claim's issuer counts whether it was configured or only said, but not both alike. */
function meant(of: Asker): string {
  return JSON.stringify('claim' in of ? { ...of, configured: of.configured && of.iss !== null } : of)
}

test('no input makes two identities share an id', async (t) => {
  let met = 0
  fc.assert(fc.property(fc.uniqueArray(asker, { selector: meant, minLength: 2, maxLength: 40 }), fc.array(visible, { minLength: 2, maxLength: 2 }), (askers, keys) => {
    const identities = askers.map(identityOf)
    met += identities.length
    if (new Set(identities).size !== identities.length) return false
    const ids = identities.flatMap((identity) => [...new Set(keys)].map((key) => keyId('s'.repeat(43), 'service', identity, key)))
    return new Set(ids).size === ids.length
  }), { numRuns: 300 })
  t.ok(met > 1000, `${met} identities were compared`)
})

/** What a careless encoding might put between two texts. */
const joiner = fc.constantFrom('', ':', ',', '.', ' ', '/', '","', 'x-api-key', 'x-api-key:', 'authorization:', '9:x-api-key1:', '\\n')

test('one text that is cut at two places is two identities', async (t) => {
  fc.assert(fc.property(fc.tuple(visible, visible, visible), joiner, ([a, b, c], between) => {
    const joined = (one: string, other: string): string => (one + between + other).trim()
    const pairs: [Asker, Asker][] = [
      [{ kind: 'said', iss: a, sub: joined(b, c), key: null }, { kind: 'said', iss: joined(a, b), sub: c, key: null }],
      [{ kind: 'said', iss: a, sub: joined(b, c), key: null }, { kind: 'said', iss: a, sub: b, key: c }],
      [{ kind: 'key', values: [a, b, c] }, { kind: 'key', values: [joined(a, b), c] }],
      [{ kind: 'key', values: [a, b] }, { kind: 'key', values: [joined(a, b)] }],
      [{ kind: 'two', one: a, other: b }, { kind: 'key', values: [joined(a, b)] }],
      [{ kind: 'two', one: a, other: joined(b, c) }, { kind: 'two', one: joined(a, b), other: c }],
      [{ kind: 'claim', claim: [a, b], iss: null, value: c, configured: false }, { kind: 'claim', claim: [joined(a, b)], iss: null, value: c, configured: false }],
      [{ kind: 'claim', claim: [a], iss: b, value: c, configured: true }, { kind: 'claim', claim: [joined(b, a)], iss: null, value: c, configured: false }],
    ]
    return pairs.every(([one, other]) => JSON.stringify(one) === JSON.stringify(other) || identityOf(one) !== identityOf(other))
  }), { numRuns: 500 })
  t.pass('for every kind')
})

test('the same input is the same identity', async (t) => {
  fc.assert(fc.property(asker, (of) => identityOf(of) === identityOf(structuredClone(of))))
  t.pass('for every kind')
})

test('a route of one sender tells nobody apart, and is told apart from every other route', (t) => {
  const [a, b] = ['a', 'b'].map((route) => identify(['authorization', 'x'], { kind: 'route', route }))
  t.match(a, { kind: 'known', witness: null, name: null })
  t.same(identify([], { kind: 'route', route: 'a' }), a)
  for (const other of [b, identify([], { kind: 'none' })]) t.notSame(other, a)
  t.end()
})
