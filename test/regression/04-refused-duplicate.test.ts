import { test } from 'tap'
import { heldUpstream } from '../support/held-upstream.ts'
import { sharedStore } from '../support/shared-store.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a duplicate that is refused leaves the claim of the first one alone, in its own process and in another', async (t) => {
  const upstream = await heldUpstream(t)
  const store = sharedStore()
  const [one, other] = [await startForTest(t, upstream.origin, { yaml: '{}', seams: { store } }), await startForTest(t, upstream.origin, { yaml: '{}', seams: { store } })]
  const first = one.post('k1')
  await upstream.arrived(1)
  for (const sidecar of [other, one, other, one]) {
    t.match(await sidecar.post('k1'), { status: 409, problem: 'in-flight' })
    t.match(await sidecar.post('k1', { body: 'other' }), { status: 422, problem: 'key-reused' })
  }
  upstream.letGo()
  t.match(await first, { status: 200, body: 'n1' })
  t.equal(upstream.requests.length, 1)
})
