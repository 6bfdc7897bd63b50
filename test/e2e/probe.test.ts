import { test } from 'tap'
import { askableService, listing, type Answerer, type Conduct } from '../support/askable-service.ts'
import { startForTest, until, type Received, type Running } from '../support/start-sidecar.ts'

/*
 * when_unsure: probe, the product against a real upstream: what it is told counts only if it is an answer, and only for whom it
 * is about.
 */

const YAML = (quiet: string, more = '') => `
routes:
  - name: charges
    match: { method: POST, path: /v1/charges }
    idempotency:
      key: required
      scope: { header: x-tenant }
      when_unsure:
        probe:
          get: "/v1/charges?key={key}&account={identity}"
          quiet: ${quiet}
          timeout: 300ms
          attempts: 2
          headers: { x-asked-by: "onceward for {identity}" }
          found: { pointer: /data/0 }
          absent: { status: [200], pointer: /data/0 }
          expect: { /data/0/account: "{identity}" }
          reply: { status: 201, pointer: /data/0 }
          ${more}
    retry: { attempts: 1, deadline: 3s }
`

const LOST_AFTER_CHARGING: Conduct = { chargeAfterMs: 0, answers: false }
const LOST_BEFORE: Conduct = { chargeAfterMs: null, answers: false }
const CHARGES: Conduct = { chargeAfterMs: 0, answers: true }
const SECRET = 'Bearer of-the-client'

function charge(sidecar: Running, tenant: string, key: string): Promise<Received> {
  return sidecar.post(key, { headers: ['Authorization', SECRET, 'X-Tenant', tenant] })
}

test('a request whose answer was lost is answered with what the upstream says became of it', async (t) => {
  const service = await askableService(t, () => LOST_AFTER_CHARGING)
  const sidecar = await startForTest(t, service.origin, { yaml: YAML('10m') })
  const first = await charge(sidecar, 'acme', 'k')
  t.match(first, { status: 201, body: '{"account":"acme","id":"ch_1","key":"k"}' })
  t.match(await charge(sidecar, 'acme', 'k'), { status: 201, body: first.body, headers: { 'idempotent-replayed': 'true' } })
  t.equal(service.charged('acme', 'k'), 1)
  t.equal(service.arrived.get('acme k'), 1)
  t.equal(await sidecar.metric('onceward_probes_total{result="found",route="charges"}'), 1)
  const [question] = service.questions
  t.equal(question?.['x-asked-by'], 'onceward for acme')
  t.notOk(question?.authorization, 'with nothing of the client\'s own')
  t.notOk(question?.['idempotency-key'])
})

test('a request that is absent runs once more, and only after quiet', async (t) => {
  let arrivedAt = 0
  let ranAt = 0
  const service = await askableService(t, (_, arrival) => {
    if (arrival === 1) arrivedAt = performance.now()
    else ranAt = performance.now()
    return arrival === 1 ? LOST_BEFORE : CHARGES
  })
  const sidecar = await startForTest(t, service.origin, { yaml: YAML('1500ms') })
  t.match(await charge(sidecar, 'acme', 'k'), { status: 504, problem: 'outcome-unknown' })
  t.match(await charge(sidecar, 'acme', 'k'), { status: 504, problem: 'outcome-unknown' }, 'it may come yet')
  const done = await until(() => charge(sidecar, 'acme', 'k'), ({ status }) => status === 201)
  t.match(done, { body: /"id":"ch_1"/ })
  t.ok(ranAt - arrivedAt >= 1500, `after quiet: ${Math.round(ranAt - arrivedAt)} ms`)
  t.equal(service.arrived.get('acme k'), 2)
  t.equal(service.charged('acme', 'k'), 1)
  t.match(await charge(sidecar, 'acme', 'k'), { status: 201, body: done.body })
})

test('many who ask at once about a request that is absent let it run once', async (t) => {
  const service = await askableService(t, (_, arrival) => (arrival === 1 ? LOST_BEFORE : CHARGES))
  const sidecar = await startForTest(t, service.origin, { yaml: YAML('1s') })
  await charge(sidecar, 'acme', 'k')
  await new Promise((resolve) => { setTimeout(resolve, 1050) })
  const answers = await Promise.all(Array.from({ length: 20 }, () => charge(sidecar, 'acme', 'k')))
  t.ok(answers.some(({ status }) => status === 201))
  t.ok(answers.every(({ status }) => status === 201 || status === 409), 'or told that it runs')
  t.equal(service.charged('acme', 'k'), 1)
})

const NO_ANSWERS: Readonly<Record<string, Answerer>> = {
  'garbage': (response) => { response.writeHead(200, { 'content-type': 'text/html' }).end('<html>') },
  'an error with status 200': (response) => { response.writeHead(200).end('{"error":"overloaded"}') },
  'cut off': (response) => { response.writeHead(200, { 'content-length': 100 }).write('{"data":[]}'); setTimeout(() => response.destroy(), 20) },
  'slow': () => undefined,
  'redirecting': (response) => { response.writeHead(302, { location: '/elsewhere' }).end('{"data":[]}') },
  '401': (response) => { response.writeHead(401).end('{"data":[]}') },
  '404': (response) => { response.writeHead(404).end('{"data":[]}') },
  '429': (response) => { response.writeHead(429).end('{"data":[]}') },
  '500': (response) => { response.writeHead(500).end('{"data":[]}') },
  '503': (response) => { response.writeHead(503, { 'retry-after': '1' }).end('{"data":[]}') },
  'somebody else\'s': (response) => { response.writeHead(200).end('{"data":[{"account":"other","id":"ch_9"}]}') },
  'larger than what is kept': (response) => { response.writeHead(200).end(`{"data":[],"pad":"${'x'.repeat(2 * 1024 * 1024)}"}`) },
}

test('an answer that is none is unclear, and holds', async (t) => {
  const kinds = Object.keys(NO_ANSWERS)
  const service = await askableService(t, () => LOST_BEFORE, (key) => NO_ANSWERS[kinds[Number(key)] ?? ''] ?? listing)
  const sidecar = await startForTest(t, service.origin, { yaml: YAML('1s') })
  await Promise.all(kinds.map((_, i) => charge(sidecar, 'acme', String(i))))
  await new Promise((resolve) => { setTimeout(resolve, 1200) })
  for (const [i, kind] of kinds.entries()) {
    t.match(await charge(sidecar, 'acme', String(i)), { status: 504, problem: 'outcome-unknown' }, kind)
    t.equal(service.arrived.get(`acme ${i}`), 1, `${kind}: not sent again`)
  }
})

test('two tenants with one key never see each other\'s request', async (t) => {
  const service = await askableService(t, (_, arrival) => (arrival === 1 ? LOST_BEFORE : CHARGES))
  const sidecar = await startForTest(t, service.origin, { yaml: YAML('1s') })
  service.arrived.set('bolt k', 1)
  t.match(await charge(sidecar, 'bolt', 'k'), { status: 201, body: /"account":"bolt"/ })
  t.match(await charge(sidecar, 'acme', 'k'), { status: 504 }, 'what bolt has is not found for acme')
  const done = await until(() => charge(sidecar, 'acme', 'k'), ({ status }) => status === 201)
  t.match(done.body, /"account":"acme"/)
  t.strictSame([service.charged('acme', 'k'), service.charged('bolt', 'k')], [1, 1])
})

test('a route that asks in another way by now holds what was asked in the old one', async (t) => {
  const service = await askableService(t, (_, arrival) => (arrival === 1 ? LOST_BEFORE : CHARGES))
  const sidecar = await startForTest(t, service.origin, { yaml: YAML('1s') })
  await charge(sidecar, 'acme', 'k')
  await sidecar.reconfigure(YAML('1s').replace('?key=', '?by=probe&key='))
  await new Promise((resolve) => { setTimeout(resolve, 1200) })
  t.match(await charge(sidecar, 'acme', 'k'), { status: 504, problem: 'outcome-unknown' })
  await sidecar.reconfigure(YAML('1s'))
  t.match(await until(() => charge(sidecar, 'acme', 'k'), ({ status }) => status !== 409), { status: 201 })
})
