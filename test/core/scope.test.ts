import { test } from 'tap'
import { identify, type ScopePolicy } from '../../src/core/scope.ts'

const POLICY: ScopePolicy = { kind: 'credential', headers: ['authorization', 'x-api-key'], anonymous: 'refuse' }

test('different credentials are different identities, and the same one is the same', async (t) => {
  const one = identify(['Authorization', 'Bearer a'], POLICY)
  t.same(one, identify(['Host', 'x', 'authorization', 'Bearer a'], POLICY))
  t.not(JSON.stringify(one), JSON.stringify(identify(['Authorization', 'Bearer b'], POLICY)))
  t.not(JSON.stringify(one), JSON.stringify(identify(['X-API-Key', 'Bearer a'], POLICY)), 'the same text in another header is another credential')
  t.not(JSON.stringify(one), JSON.stringify(identify(['Authorization', 'Bearer a', 'X-Api-Key', 'k'], POLICY)))
})

test('a request without a credential is refused rather than put under a common identity', async (t) => {
  t.equal(identify(['Host', 'x'], POLICY).kind, 'missing')
})

test('anonymous requests share a scope only where the configuration says so', async (t) => {
  const shared = identify([], { ...POLICY, anonymous: 'share' })
  t.equal(shared.kind, 'known')
  t.not(JSON.stringify(shared), JSON.stringify(identify([], { kind: 'none' })), 'and never the scope of everybody')
})

test('a credential that Connection would strip upstream is refused', async (t) => {
  t.equal(identify(['Connection', 'authorization', 'Authorization', 'Bearer a'], POLICY).kind, 'invalid')
})

test('a credential is not part of the identity as text', async (t) => {
  t.notMatch(JSON.stringify(identify(['Authorization', 'Bearer topsecret'], POLICY)), /topsecret/)
})
