import { test } from 'tap'
import { configOf, mistakesIn, policyOf } from '../support/load-text.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a time of zero is refused where it would mean "at once" or "for ever", and one that is left out has its default', async (t) => {
  for (const text of ['idempotency: { lease: 0s }', 'idempotency: { retention: 0s }', 'retry: { deadline: 0s }', 'idempotency: { in_flight: { wait: 0s } }', 'idempotency: { lease: 0 }', 'idempotency: { lease: -60s }']) {
    t.equal((await mistakesIn(`defaults: { ${text} }`)).length, 1, text)
  }
  t.match(policyOf(await configOf('defaults: { idempotency: {} }'), 'default'), { leaseMs: 60_000, deadlineMs: 30_000, retention: { defaultMs: 86_400_000 } })
})

test('a wish for a retention of nothing, less than nothing or no number is not one for ever or none at all', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const [nth, wish] of ['0', '-1', '', 'Infinity', 'NaN', '1e9', '0x10', '99999999999999999999'].entries()) {
    const ttl = Number((await sidecar.post(`k${nth}`, { headers: ['Authorization', 'a', 'Idempotency-TTL', wish] })).headers['idempotency-ttl'])
    t.ok(ttl >= 59 && ttl <= 30 * 86_400, `${wish}: ${ttl}`)
    t.equal((await sidecar.post(`k${nth}`, { headers: ['Authorization', 'a', 'Idempotency-TTL', wish] })).headers['idempotent-replayed'], 'true')
  }
})
