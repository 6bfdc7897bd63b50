import { test } from 'tap'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

const CLAIMS: readonly (readonly string[])[] = [
  ['X-Forwarded-For', '127.0.0.1'], ['X-Forwarded-For', '10.0.0.1, 127.0.0.1'], ['Forwarded', 'for=127.0.0.1;host=internal;proto=https'], ['X-Forwarded-Host', 'internal'],
  ['X-Forwarded-Proto', 'https'], ['X-Real-IP', '127.0.0.1'], ['X-Forwarded-User', 'root'], ['X-Original-URL', '/open'], ['X-Rewrite-URL', '/open'], ['X-HTTP-Method-Override', 'GET'],
]

test('what a client says about where it comes from, or what it meant, makes it nobody else and changes no route', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket, number }) => respond(socket, 200, `n${number}`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: `
routes:
  - { name: internal, match: { path: /*, host: internal }, pass: true }
  - { name: open, match: { path: /open }, pass: true }
  - { name: charges, match: { method: POST, path: /v1/* }, idempotency: { key: required } }` })
  t.match(await sidecar.post('k1'), { status: 200, body: 'n1' })
  for (const claim of CLAIMS) {
    const what = claim.join(': ')
    t.match(await sidecar.post('k1', { headers: ['Authorization', 'Bearer one', ...claim] }), { body: 'n1', headers: { 'idempotent-replayed': 'true' } }, `${what}: the same client with the same key`)
    t.match(await sidecar.post('k1', { headers: claim }), { status: 400, problem: 'identity-missing' }, `${what}: no credential`)
    t.match(await sidecar.post(null, { headers: claim }), { status: 400, problem: 'key-missing' }, `${what}: the route is the same`)
  }
  t.equal(upstream.requests.length, 1)
})
