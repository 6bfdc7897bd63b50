import { test } from 'tap'
import { heldUpstream } from '../support/held-upstream.ts'
import { sharedStore } from '../support/shared-store.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('replicas that know nothing of each other run a key once: the store decides, not the map of a process', async (t) => {
  const upstream = await heldUpstream(t)
  const store = sharedStore()
  const replicas = [await startForTest(t, upstream.origin, { yaml: '{}', seams: { store } }), await startForTest(t, upstream.origin, { yaml: '{}', seams: { store } })]
  const all = Array.from({ length: 40 }, (_, i) => replicas[i % 2]?.post('k1'))
  await upstream.arrived(1)
  upstream.letGo()
  const answers = await Promise.all(all)
  t.equal(answers.filter((answer) => answer?.status === 200 && answer.headers['idempotent-replayed'] === undefined).length, 1)
  t.ok(answers.every((answer) => answer?.status === 409 || answer?.body === 'n1'))
  for (const replica of replicas) t.match(await replica.post('k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})
