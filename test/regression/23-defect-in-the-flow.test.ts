import { test } from 'tap'
import { respond, scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

test('a defect after the request was sent is told as such, and stored as nothing: never an empty 200', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  let broken = true
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}', seams: { checkpoint: (step) => {
    if (broken && step === 'after-attempt') throw new Error('planted defect')
  } } })
  t.match(await sidecar.post('k1'), { status: 503, problem: 'outcome-not-recorded' })
  broken = false
  t.match(await sidecar.post('k1'), { status: 409, problem: 'in-flight' }, 'held until its lease ends, and then a doubt')
  t.match(await sidecar.post('k2'), { status: 200, body: 'ok' })
  t.equal(upstream.requests.length, 2)
  t.match(sidecar.log(), /planted defect/)
})
