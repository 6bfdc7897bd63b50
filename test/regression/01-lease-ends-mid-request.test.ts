import { test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { heldUpstream } from '../support/held-upstream.ts'
import { replaced, sharedStore } from '../support/shared-store.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a lease that ends while the upstream works starts no second execution, and the late answer is kept', async (t) => {
  const upstream = await heldUpstream(t)
  const shared = sharedStore()
  // A holder that is cut off: none of its renewals gets through, and its lease ends as soon as it was given.
  const cutOff = (authority: KeyStore): KeyStore => replaced(authority, {
    claim: (request, givenUp) => authority.claim({ ...request, leaseMs: 0 }, givenUp),
    renew: () => Promise.reject(new StoreUnavailable('no', 'cut off')),
  })
  const late = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: (own) => cutOff(shared(own)) } })
  const other = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: shared } })
  const first = late.post('k1')
  await upstream.arrived(1)
  t.match(await other.post('k1'), { status: 504, problem: 'outcome-unknown' }, 'a doubt, and no second execution')
  upstream.letGo()
  t.match(await first, { status: 200, body: 'n1' })
  t.match(await other.post('k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})
