import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a credential that the service would refuse is judged by the service and given no stored reply', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, request }) => /Authorization: Bearer good\r/.test(request) ? respond(socket, 200, 'the account of good') : respond(socket, 401, 'who are you'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post('k1', { headers: ['Authorization', 'Bearer good'] }), { status: 200 })
  const others: readonly (readonly string[])[] = [
    ['Authorization', 'Bearer revoked'], ['Authorization', 'bearer good'], ['Authorization', 'Bearer good.'], ['Authorization', 'Basic good'],
    ['X-API-Key', 'Bearer good'], ['Authorization', 'Bearer good2', 'X-API-Key', 'x'],
  ]
  for (const headers of others) t.match(await sidecar.post('k1', { headers }), { status: 401, body: 'who are you' }, headers.join(' '))
  t.match(await sidecar.post('k1', { headers: [] }), { status: 400, problem: 'identity-missing' })
  for (const headers of others) t.match(await sidecar.post('k1', { headers }), { status: 401 }, 'and a refusal is not kept either')
  t.match(await sidecar.post('k1', { headers: ['Authorization', 'Bearer good'] }), { body: 'the account of good', headers: { 'idempotent-replayed': 'true' } })
})
