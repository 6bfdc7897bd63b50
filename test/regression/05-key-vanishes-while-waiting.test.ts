import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { replaced } from '../support/shared-store.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a key that is gone between a refused claim and the look at its record runs nothing', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, {
    yaml: 'defaults: { idempotency: { in_flight: { wait: 10s } } }',
    seams: { store: (authority) => replaced(authority, {
      claim: () => Promise.resolve({ kind: 'busy', retryAfterMs: 1000, operationRef: 'op_held_elsewhere' }),
      find: () => Promise.resolve([]),
    }) },
  })
  t.match(await sidecar.post('k1'), { status: 409, problem: 'in-flight' }, 'only a claim may say that it may run')
  t.equal(upstream.requests.length, 0)
})
