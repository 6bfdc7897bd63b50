import { test } from 'tap'
import { signingKey, startIssuer, tokenOf } from '../support/issuer.ts'
import { answeringByPath, shadowed } from '../support/shadow-cases.ts'
import { standardHeaders, WEBHOOK_SECRET } from '../support/sign-webhooks.ts'
import { startForTest } from '../support/start-sidecar.ts'

const FOREIGN = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

test('a token that is verified, one that is not, and none: counted, and passed alike', async (t) => {
  const [key, other] = [await signingKey('one'), await signingKey('one')]
  const issuer = await startIssuer(t, key)
  const upstream = await answeringByPath(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: `routes: [{ name: charge, match: { path: /v1/* }, idempotency: { mode: shadow, scope: { jwt: { claim: sub, jwks: "${issuer.jwks}" } } } }]` })
  const bearer = async (by: typeof key, sub: string): Promise<string[]> => ['Authorization', `Bearer ${await tokenOf(by, { sub, jti: `${Math.random()}` })}`]
  const headers = [await bearer(key, 'alice'), await bearer(key, 'alice'), await bearer(key, 'bob'), await bearer(other, 'alice'), []]
  for (const given of headers) t.match(await sidecar.post('k', { headers: given }), { status: 200 })
  t.strictSame(await shadowed(sidecar, 5), { new: 2, replay: 1, invalid: 2 })
})

test('an issuer that does not answer keeps no request waiting', async (t) => {
  const key = await signingKey('one')
  const issuer = await startIssuer(t, key)
  issuer.answer = () => undefined // for ever
  const upstream = await answeringByPath(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: `routes: [{ name: charge, match: { path: /v1/* }, idempotency: { mode: shadow, scope: { jwt: { claim: sub, jwks: "${issuer.jwks}" } } } }]` })
  const headers = ['Authorization', `Bearer ${await tokenOf(key, { sub: 'alice' })}`]
  for (let n = 0; n < 5; n += 1) t.match(await sidecar.post(`k${n}`, { headers }), { status: 200 })
  t.strictSame(await shadowed(sidecar, 5), { unknown: 5 })
})

test('a signature that does not hold counts as invalid and passes; an id in the body is found there', async (t) => {
  const upstream = await answeringByPath(t)
  const yaml = `routes:\n  - { name: hooks, match: { method: POST, path: /hooks }, consumer: { standard_webhooks: { secrets: ["${WEBHOOK_SECRET}"] } }, idempotency: { mode: shadow } }\n  - { name: charge, match: { method: POST, path: /v1/* }, idempotency: { mode: shadow, key: required, key_from: { pointer: /id } } }\n`
  const sidecar = await startForTest(t, upstream.origin, { yaml })
  const body = '{"a":1}'
  for (const headers of [standardHeaders('e1', body), standardHeaders('e1', body), standardHeaders('e2', body, { secret: FOREIGN }), standardHeaders('e3', 'another body')]) {
    t.match(await sidecar.post(null, { path: '/hooks', headers, body }), { status: 200 })
  }
  t.strictSame(await shadowed(sidecar, 4, 'hooks'), { new: 1, replay: 1, invalid: 2 })
  for (const sent of ['{"id":"a"}', '{"id":"a"}', '{"id":"a","n":1}', '{"n":1}', '{"id":{}}']) t.match(await sidecar.post(null, { body: sent }), { status: 200 })
  t.strictSame(await shadowed(sidecar, 5), { new: 1, replay: 1, mismatch: 1, missing: 1, invalid: 1 })
})
