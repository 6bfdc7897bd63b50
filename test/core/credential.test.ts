import { test } from 'tap'
import { credential, type CredentialPolicy } from '../../src/core/credential.ts'
import { unsignedToken } from '../support/issuer.ts'

const POLICY: CredentialPolicy = { kind: 'credential', headers: ['authorization', 'x-api-key'], anonymous: 'refuse' }
const JWT = { alg: 'RS256', typ: 'JWT' }

const known = (fields: readonly string[], policy = POLICY) => {
  const identity = credential(fields, policy)
  if (identity.kind !== 'known') throw new Error(`${fields.join()} is ${identity.kind}: ${identity.detail}`)
  return identity
}
const bearer = (claims: unknown, header: object = JWT, signature?: string) => ['Authorization', `Bearer ${unsignedToken(header, claims, signature)}`]

test('schemes that are new with every request are refused with a hint what stays', async (t) => {
  const schemes = [
    'AWS4-HMAC-SHA256 Credential=AKIA/20261124/eu/s3/aws4_request, SignedHeaders=host, Signature=ab', 'AWS AKIA:sig', 'AWS4-ECDSA-P256-SHA256 Credential=x',
    'Digest username="a", nonce="b"', 'DPoP eyJ.eyJ.x', 'dpop abc', 'Hawk id="a", ts="1"', 'OAuth realm="a", oauth_nonce="n", oauth_signature="s"', 'Negotiate YII=', 'NTLM TlRM',
    'Signature keyId="a",signature="b"', 'GOOG4-HMAC-SHA256 x', 'EG1-HMAC-SHA256 x', 'TC3-HMAC-SHA256 x', 'SharedKey account:sig', 'hmac username="a"', 'SCRAM-SHA-256 x', 'HOBA result="a"',
  ]
  for (const value of schemes) t.match(credential(['Authorization', value], { ...POLICY, anonymous: 'share' }), { kind: 'missing', detail: /scope: \{header: NAME\}/ }, value)
  t.match(credential(['Authorization', 'Bearer a', 'DPoP', 'proof'], POLICY), { kind: 'missing', detail: /DPoP/ })
  t.match(credential(['Signature', 'sig1=:a:', 'Signature-Input', 'sig1=()'], { ...POLICY, anonymous: 'share' }), { kind: 'missing', detail: /RFC 9421/ }, 'also where anonymous requests may share')
})

test('a hint repeats nothing of a credential', async (t) => {
  t.notMatch(JSON.stringify(credential(['Authorization', 'Digest topsecret'], POLICY)), /topsecret/)
})

test('schemes that stay are identities, and so is a signature beside one', async (t) => {
  for (const value of ['Basic YTpi', 'Bearer abc', 'ApiKey x', 'OAuth 00Dxx!token', 'token ghp_x', 'sk-hmac-1', 'GNAP abc', 'vapid t=x']) t.equal(credential(['Authorization', value], POLICY).kind, 'known', value)
  t.equal(credential(['Authorization', 'Bearer a', 'Signature', 's', 'Signature-Input', 'i'], POLICY).kind, 'known')
  t.equal(credential(['Authorization', 'AWS4-HMAC-SHA256 x', 'X-API-Key', 'k'], { ...POLICY, headers: ['x-api-key'] }).kind, 'known', 'a scheme that is not asked for')
})

test('two tokens of one issuer and subject are one identity with two witnesses', async (t) => {
  const first = known(bearer({ iss: 'i', sub: 's', iat: 1 }))
  const second = known(bearer({ iss: 'i', sub: 's', iat: 2 }))
  t.equal(first.identity, second.identity)
  t.type(first.witness, 'string')
  t.not(first.witness, second.witness)
  t.not(first.witness, known(bearer({ iss: 'i', sub: 's', iat: 1 }, JWT, 'Zm9yZ2Vk')).witness, 'and another signature is another witness')
  t.same(first, known(bearer({ iss: 'i', sub: 's', iat: 1 })))
  for (const other of [{ iss: 'i', sub: 't' }, { iss: 'j', sub: 's' }]) t.not(first.identity, known(bearer(other)).identity)
})

test('what stands beside a token still tells clients apart', async (t) => {
  const token = bearer({ iss: 'i', sub: 's' })
  const [alone, one, other] = [known(token), known([...token, 'X-API-Key', '1']), known([...token, 'X-API-Key', '2'])]
  t.equal(new Set([alone.identity, one.identity, other.identity]).size, 3)
  t.equal(new Set([alone.witness, one.witness, other.witness]).size, 3)
})

test('a token that does not say who it is from and about is a credential like any other', async (t) => {
  const opaque = [
    bearer({ sub: 's' }), bearer({ iss: 'i' }), bearer({ iss: 'i', sub: '' }), bearer({ iss: '', sub: 's' }), bearer({ iss: 7, sub: 's' }), bearer({ iss: 'i', sub: ['s'] }),
    bearer(['iss', 'sub']), bearer(null), bearer('text'), bearer({ iss: 'i', sub: 's' }, { typ: 'JWT' }), bearer({ iss: 'i', sub: 's' }, { alg: 1 }),
    ['Authorization', 'Bearer a.b.c'], ['Authorization', 'Bearer e30.e30.x'], ['Authorization', `${bearer({ iss: 'i', sub: 's' })[1]}.x.y`], ['Authorization', `Token ${unsignedToken(JWT, { iss: 'i', sub: 's' })}`],
  ]
  for (const fields of opaque) t.equal(known(fields).witness, null, fields.join(' '))
  t.equal(new Set(opaque.map((fields) => known(fields).identity)).size, opaque.length)
  const twice = [...bearer({ iss: 'i', sub: 's' }), ...bearer({ iss: 'i', sub: 's' })]
  t.equal(known(twice).witness, null, 'nor are two of them')
})

test('a named cookie is a credential, whatever stands beside it', async (t) => {
  const policy: CredentialPolicy = { ...POLICY, headers: ['cookie:session'] }
  const one = known(['Cookie', 'a=1; session=x; _ga=2'], policy)
  t.same(one, known(['Cookie', 'session=x'], policy))
  t.same(one, known(['cookie', '_ga=9', 'Cookie', 'b=;session = x ;'], policy))
  t.not(one.identity, known(['Cookie', 'session=y'], policy).identity)
  t.not(one.identity, known(['Cookie', 'session=x; session=y'], policy).identity, 'two of one name are neither of them')
  t.not(one.identity, known(['X-API-Key', 'x'], { ...POLICY, headers: ['x-api-key'] }).identity)
  for (const line of ['session=', 'session', 'Session=x', 'xsession=x', 'a=session=x', '']) t.equal(credential(['Cookie', line], policy).kind, 'missing', line)
})
