import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const validating = ({ socket, request }: Parameters<Parameters<typeof scriptedUpstream>[1]>[0]): void =>
  request.endsWith('"amount":0}') ? respond(socket, 422, 'amount must be positive') : respond(socket, 200, 'charged')

test('where a service validates before it works and the route says so, its 422 uses up no key', async (t) => {
  const upstream = await scriptedUpstream(t, validating)
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'defaults: { status: { refused: [400, 422] } }' })
  t.match(await sidecar.post('k1', { body: '{"amount":0}' }), { status: 422, body: 'amount must be positive' })
  t.match(await sidecar.post('k1', { body: '{"amount":1}' }), { status: 200, body: 'charged' }, 'the corrected request runs under the same key')
})

test('where it says nothing, a 422 is an answer: the corrected request is another one and needs another key', async (t) => {
  const upstream = await scriptedUpstream(t, validating)
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  t.match(await sidecar.post('k1', { body: '{"amount":0}' }), { status: 422, problem: null })
  t.match(await sidecar.post('k1', { body: '{"amount":1}' }), { status: 422, problem: 'key-reused' })
  t.equal(upstream.requests.length, 1)
})
