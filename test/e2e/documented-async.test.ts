import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { PROBLEMS } from '../../src/core/problem.ts'
import { askFor, state } from '../support/async-cases.ts'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/async.md'), 'utf8')
const EXAMPLES = [...PAGE.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
const ONE = ['Authorization', 'Bearer one'] as const

test('the example of docs/async.md does as it says', async (t) => {
  t.equal(EXAMPLES.length, 1)
  const [example = ''] = EXAMPLES
  t.ok(example.trim().split('\n').length <= 10, 'it is ten lines long at most')
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, '{"report":7}', 'Content-Type: application/json'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: example.replaceAll('${SEALING_KEY}', Buffer.alloc(32, 9).toString('base64')) })
  const path = '/v1/reports'
  t.match(await sidecar.post(null, { path }), { status: 400, problem: 'key-missing' })
  const accepted = await sidecar.post('8e03978e-40d5', { path, headers: [...ONE, 'Prefer', 'respond-async'] })
  t.match(accepted, { status: 202, headers: { 'location': /^\/_onceward\/operations\/op_/, 'preference-applied': 'respond-async', 'retry-after': '1' } })
  const { location } = accepted.headers
  t.match(PAGE, /\{"operation":"op_[^"]*","status":"accepted"\}/)
  t.strictSame(Object.keys(state(accepted)), ['operation', 'status'])
  const asked = await askFor(sidecar, location, [...ONE, 'Prefer', 'wait=20'])
  t.match(asked, { status: 200 })
  t.match(state(asked), { operation: state(accepted)['operation'], status: 'completed', reply: { status: 201, body: '{"report":7}' } })
  for (const member of Object.keys(state(asked)).filter((name) => name !== 'operation')) t.ok(PAGE.includes(`\`${member}\``), `the page tells of ${member}`)
  t.match(await sidecar.post('8e03978e-40d5', { path, headers: [...ONE, 'Prefer', 'respond-async'] }), { status: 201, headers: { 'idempotent-replayed': 'true' } })
  t.match(await askFor(sidecar, location, ['Authorization', 'Bearer two']), { status: 404 })
  t.equal(upstream.requests.length, 1)
})

test('every problem that the page names is there, with its status', async (t) => {
  const named = [...PAGE.matchAll(/(\d{3}) `([a-z-]+)`/g)]
  t.ok(named.length > 3)
  for (const [, status, code = ''] of named) t.equal(PROBLEMS[code as keyof typeof PROBLEMS]?.status, Number(status), code)
})
