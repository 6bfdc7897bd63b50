import { test } from 'tap'
import { heldUpstream } from '../support/held-upstream.ts'
import { sharedStore } from '../support/shared-store.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('replicas that know nothing of each other run a key once: the store decides, not the map of a process', async (t) => {
  const upstream = await heldUpstream(t)
  const store = sharedStore()
  const one = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store } })
  const other = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store } })
  const all = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : other).post('k1'))
  await upstream.arrived(1)
  upstream.letGo()
  const answers = await Promise.all(all)
  t.equal(answers.filter(({ status, headers }) => status === 200 && headers['idempotent-replayed'] === undefined).length, 1)
  t.ok(answers.every(({ status, body }) => status === 409 || body === 'n1'))
  for (const replica of [one, other]) t.match(await replica.post('k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})
