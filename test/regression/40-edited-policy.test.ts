import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a policy that was edited makes no old key a mismatch, and an old key still refuses another request', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
  const dataDir = t.testdir()
  const headers = ['Authorization', 'Bearer one', 'X-Account', '7']
  const before = await startForTest(t, upstream.origin, { dataDir, yaml: 'defaults: { idempotency: { fingerprint: { headers: [x-account] } } }' })
  await before.post('k1', { headers })
  await before.stop()
  const edited = [
    'routes: [{ name: renamed, match: { path: /v1/* }, idempotency: { retention: 48h } }]',
    'defaults: { idempotency: { fingerprint: { headers: [x-account, x-version] } } }',
    'defaults: { status: { refused: [500] } }',
  ]
  for (const yaml of edited) {
    const after = await startForTest(t, upstream.origin, { dataDir, yaml })
    t.match(await after.post('k1', { headers }), { status: 200, body: 'n1', headers: { 'idempotent-replayed': 'true' } }, yaml)
    t.match(await after.post('k1', { headers, body: 'other' }), { status: 422, problem: 'key-reused' }, yaml)
    t.match(await after.post('k1', { headers: ['Authorization', 'Bearer one', 'X-Account', '8'] }), { status: 422, problem: 'key-reused' }, `${yaml}: an old record is compared under its own rules`)
    await after.stop()
  }
  t.equal(upstream.requests.length, 1)
})
