import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('the same request under a new key, or without one, is another operation', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post('k1'), { body: 'n1' })
  t.match(await sidecar.post('k2'), { body: 'n2' })
  t.match(await sidecar.post(null), { body: 'n3' })
  t.match(await sidecar.post('K1'), { body: 'n4' }, 'keys are compared as they are, case and all')
  t.equal(upstream.requests.length, 4)
})
