import t, { test } from 'tap'
import { askFor, asyncCases, ONE, yamlOf } from '../support/async-cases.ts'
import { heldUpstream } from '../support/held-upstream.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { startForTest, type Received, type Running } from '../support/start-sidecar.ts'

needs(t, 'postgres')

asyncCases(t, { fresh: async () => `postgres: "${await postgresUrl()}"` })

test('of two processes one executes, and the other one tells of it, to who waits there too', async (t) => {
  const url = `postgres: "${await postgresUrl()}"`
  const upstream = await heldUpstream(t)
  const first = await startForTest(t, upstream.origin, { yaml: yamlOf(url) })
  const second = await startForTest(t, upstream.origin, { yaml: yamlOf(url) })
  const post = (sidecar: Running): Promise<Received> => sidecar.post('k1', { path: '/v1/reports', headers: [...ONE, 'Prefer', 'respond-async'] })
  const { status, headers: { location } } = await post(second)
  t.equal(status, 202)
  await upstream.arrived(1)
  t.match(await post(first), { status: 202, headers: { location } })
  const waiting = [first, second].map((sidecar) => askFor(sidecar, location, [...ONE, 'Prefer', 'wait=30']))
  upstream.letGo()
  for (const answer of await Promise.all(waiting)) t.match(answer, { status: 200, body: /"status":"completed".*"body":"n1"/ })
  t.equal(`${first.log()}${second.log()}`.match(/"msg":"operation.executed"/g)?.length, 1)
  await first.stop()
  const next = await second.post('k2', { path: '/v1/reports', headers: [...ONE, 'Prefer', 'respond-async, wait=30'] })
  t.match(next, { status: 200, body: 'n2' }, 'the other one leads when the first is gone')
})
