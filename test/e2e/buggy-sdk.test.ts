import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('an SDK release that uses keys again with another body is named, and its healthy predecessor is not', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'charged'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'routes: [{ name: charge, match: { path: /* }, idempotency: { key: required } }]\n' })
  const charge = (sdk: string, key: string, amount: number) => sidecar.post(key, { path: '/charge', headers: ['Authorization', 'Bearer one', 'User-Agent', `acme-sdk/${sdk} (linux)`], body: `{"amount":${amount},"card":"canary-4242"}` })
  const statuses: number[] = []
  for (let i = 0; i < 50; i += 1) {
    statuses.push((await charge('4.1.9', `old-${i}`, i)).status, (await charge('4.2.0', `new-${i - (i % 5 === 4 ? 1 : 0)}`, i)).status)
  }
  t.equal(statuses.filter((status) => status === 422).length, 10)
  t.equal(await sidecar.metric('onceward_mismatches_total{client="acme-sdk/4.2.0",part="body",route="charge"}'), 10)
  const lines = sidecar.log().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
  const refused = lines.filter((line) => line['outcome'] === 'mismatch')
  t.strictSame(refused.map(({ client, cause }) => [client, cause]), Array.from({ length: 10 }, () => ['acme-sdk/4.2.0', 'body']))
  t.notOk(lines.some((line) => line['outcome'] !== 'mismatch' && 'client' in line), 'no other line names a client')
  t.notMatch(sidecar.log(), /4\.1\.9|canary/)
})
