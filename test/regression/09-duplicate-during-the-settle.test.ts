import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { replaced, sharedStore } from '../support/shared-store.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a duplicate that comes while the answer is being written waits for it: the claim is held until then', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
  let write: () => void = () => undefined
  let begun: () => void = () => undefined
  const writing = new Promise<void>((resolve) => { begun = resolve })
  const written = new Promise<void>((resolve) => { write = resolve })
  const shared = sharedStore()
  const one = await startForTest(t, upstream.origin, {
    yaml: '{}',
    seams: { store: (own) => {
      const authority = shared(own)
      return replaced(authority, {
        complete: async (claim, completion) => {
          begun()
          await written
          return await authority.complete(claim, completion)
        },
      })
    } },
  })
  const other = await startForTest(t, upstream.origin, { yaml: '{}', seams: { store: shared } })
  const first = one.post('k1')
  await writing
  for (const sidecar of [one, other]) t.match(await sidecar.post('k1'), { status: 409, problem: 'in-flight' })
  write()
  t.match(await first, { status: 200, body: 'n1' })
  for (const sidecar of [one, other]) t.match(await sidecar.post('k1'), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } })
  t.equal(upstream.requests.length, 1)
})
