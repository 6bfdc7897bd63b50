import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const WAITING = 'defaults: { idempotency: { in_flight: { wait: 10s } } }'

test('waiters behind a reply that is too large to keep are told so, and none of them runs', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => setImmediate(() => respond(socket, 200, 'x'.repeat(5000))))
  const sidecar = await startForTest(t, upstream.origin, { yaml: `${WAITING}\nlimits: { kept_reply: 1000B }` })
  const answers = await Promise.all(Array.from({ length: 20 }, () => sidecar.post('k1')))
  t.equal(answers.filter(({ status, body }) => status === 200 && body.length === 5000).length, 1)
  t.equal(answers.filter(({ problem }) => problem === 'reply-not-kept').length, 19)
  t.equal(upstream.requests.length, 1)
})

test('waiters behind a refusal share it, and none of them runs', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => setImmediate(() => respond(socket, 429, 'slow down')))
  const sidecar = await startForTest(t, upstream.origin, { yaml: WAITING })
  const all = Promise.all(Array.from({ length: 20 }, () => sidecar.post('k1')))
  t.ok((await all).every(({ status, body }) => status === 429 && body === 'slow down'))
  const together = upstream.requests.length
  t.ok(together >= 1 && together < 20, `they did not all run: ${together}`)
})
