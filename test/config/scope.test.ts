import { test } from 'tap'
import { configOf, mistakesIn, policyOf } from '../support/load-text.ts'

const scopeIn = async (idempotency: string) => policyOf(await configOf(`defaults: { idempotency: { ${idempotency} } }`), 'default').scope
const wrong = async (idempotency: string) => (await mistakesIn(`defaults: { idempotency: { ${idempotency} } }`)).map((line) => line.replace(/^[0-9:]+ /, ''))

test('each scope is read as what the flow works with', async (t) => {
  t.strictSame(await scopeIn('scope: { header: X-Tenant-ID }'), { kind: 'header', header: 'x-tenant-id' })
  t.strictSame(await scopeIn('scope: { jwt: { claim: sub, jwks: https://id.example.com/keys } }'), {
    kind: 'jwt', claim: ['sub'], keys: { kind: 'url', place: 'https://id.example.com/keys' }, issuer: null, audience: null,
  })
  t.strictSame(await scopeIn('scope: { jwt: { claim: /realm/a~1b~01, jwks: { file: keys.json }, issuer: i, audience: a } }'), {
    kind: 'jwt', claim: ['realm', 'a/b~1'], keys: { kind: 'file', place: 'keys.json' }, issuer: 'i', audience: 'a',
  })
  t.match(await scopeIn('scope: { jwt: { claim: https://example.com/tenant, jwks: { plain_http: http://id.internal/keys } } }'), {
    claim: ['https://example.com/tenant'], keys: { kind: 'url', place: 'http://id.internal/keys' },
  })
  t.match(await scopeIn('credential_headers: [Authorization, "Cookie:Session", X-Key]'), { kind: 'credential', headers: ['authorization', 'cookie:Session', 'x-key'] })
})

test('a scope is one thing', async (t) => {
  t.match(await wrong('scope: {}'), [/idempotency.scope: found .*needed: exactly one of header or jwt/])
  t.match(await wrong('scope: { header: x, jwt: { claim: sub, jwks: https://a } }'), [/exactly one of header or jwt/])
  t.match(await wrong('scope: tenant'), [/needed: credential, none or route, or \{header: x-tenant-id\}/])
  t.match(await wrong('scope: { jwt: { claim: sub } }'), [/scope.jwt.jwks: found nothing; needed: where the keys are/])
  t.match(await wrong('scope: { jwt: { jwks: https://a } }'), [/scope.jwt.claim: found nothing/])
  t.match(await wrong('scope: { jwt: { claim: sub, jwks: { file: a, plain_http: http://b } } }'), [/exactly one of file or plain_http/])
  t.match(await wrong('scope: { header: "x y" }'), [/the name of a header/])
})

test('keys come over https, or from this machine, unless somebody says that plain http will do', async (t) => {
  const jwks = async (url: string) => await wrong(`scope: { jwt: { claim: sub, jwks: ${url} } }`)
  for (const url of ['https://id.example.com', 'https://id.example.com:8443/a/keys?v=1', 'http://127.0.0.1:9/keys', 'http://localhost/keys', '"http://[::1]:9/keys"', '{ plain_http: http://id.internal/keys }']) t.strictSame(await jwks(url), [], url)
  for (const url of ['http://id.example.com/keys', 'http://localhost.example.com/keys', 'http://127.0.0.1.example.com/keys', 'ftp://id.example.com', 'id.example.com', 'https://', '"https://a b"', '"https://a#b"']) t.match(await jwks(url), [/plain_http/], url)
  for (const url of ['https://user:hunter2@id.example.com/keys', '{ plain_http: http://user:hunter2@a/keys }']) {
    const [line = '', ...more] = await jwks(url)
    t.strictSame(more, [])
    t.match(line, /jwks/)
    t.notMatch(line, /hunter2/)
  }
})

test('what is new with every request is no credential', async (t) => {
  t.match(await wrong('credential_headers: [cookie]'), [/one cookie, such as cookie:session \(write cookie:session\)/])
  for (const header of ['Signature', 'signature-input', 'DPoP', '"cookie:"', '"cookie:a b"', '"session:a"']) t.match(await wrong(`credential_headers: [${header}]`), [/stays the same from request to request/], header)
})
