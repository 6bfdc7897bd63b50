import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('while one key is in flight, all others run', async (t) => {
  let finish: () => void = () => undefined
  const upstream = await scriptedUpstream(t, ({ socket, request }) => {
    if (request.includes('Idempotency-Key: slow')) finish = () => respond(socket, 200, 'slow')
    else respond(socket, 200, 'quick')
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const slow = sidecar.post('slow')
  const others = await Promise.all(Array.from({ length: 100 }, (_, i) => sidecar.post(`quick-${i}`)))
  t.ok(others.every(({ status, body }) => status === 200 && body === 'quick'))
  finish()
  t.match(await slow, { status: 200, body: 'slow' })
})
