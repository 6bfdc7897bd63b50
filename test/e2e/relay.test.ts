import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { startForTest, until } from '../support/start-sidecar.ts'
import { startReceiver } from '../chaos/relay/receiver.ts'
import { chargeService } from './relay-service.ts'

/* Flow two from end to end in one process on the embedded store: a request, its event, a receiver of webhooks. */

function yaml(sinks: string): string {
  return `
service: shop
log: { level: info }
routes:
  - name: charge
    match: { method: POST, path: /v1/charges }
    idempotency: { key: required, scope: none }
    outbox: { on: 2xx, sink: hook, type: charge.created, lane: "{body:/lane}", data: { lane: "{body:/lane}" } }
sinks:
${sinks}`
}

function hook(url: string, more = ''): string {
  return `  hook: { webhook: { url: { plain_http: "${url}" }, allow: [127.0.0.0/8] }${more} }\n`
}

async function scene(t: Test) {
  const receiver = await startReceiver(t, () => 200)
  const running = await startForTest(t, await chargeService(t), { yaml: yaml(hook(receiver.url)) })
  const post = async (key: string): Promise<number> => (await running.post(key, { body: `{"lane":"${key}"}` })).status
  return { receiver, running, post }
}

test('an event of a completed request arrives at once, under one id, and once', async (t) => {
  const { receiver, running, post } = await scene(t)
  t.equal(await post('a'), 201)
  const from = performance.now()
  await receiver.distinct(1, 5000)
  t.ok(performance.now() - from < 1000, 'the bell rang: no poll was waited for')
  t.equal(await post('a'), 201, 'replayed')
  t.equal(await post('b'), 201)
  await receiver.distinct(2, 5000)
  t.equal(receiver.arrivals.length, 2)
  t.ok([...receiver.ids].every((id) => id.startsWith('evt_')))
  t.equal(await running.metric('onceward_relay_leader{sink="hook"}'), 1)
  t.equal(await running.metric('onceward_deliveries_total{sink="hook",outcome="dead"}'), 0)
  t.equal(await running.metric('outbox_lag_seconds{sink="hook"}'), 0)
})

test('a reload starts what is new, replaces what has changed, and leaves the rest alone', async (t) => {
  const { receiver, running, post } = await scene(t)
  const led = (): number => running.log().split('"relay.leads"').length - 1
  await until(async () => ({ status: led(), headers: {}, body: '', problem: null }), ({ status }) => status === 1)
  await running.reconfigure(yaml(hook(receiver.url)))
  t.equal(led(), 1, 'nothing has changed')
  const second = await startReceiver(t, () => 200)
  await running.reconfigure(yaml(hook(second.url)))
  t.equal(await post('c'), 201)
  await second.distinct(1, 5000)
  t.equal(receiver.arrivals.length, 0)
  await running.reconfigure(yaml(`${hook(second.url)}${hook(receiver.url).replace('hook:', 'other:')}`))
  await until(async () => ({ status: led(), headers: {}, body: '', problem: null }), ({ status }) => status === 3)
  t.equal(await running.metric('onceward_relay_leader{sink="other"}'), 1)
  t.equal(running.log().split('relay.leads-no-more').length - 1, 1, 'one was replaced')
})

test('events for a sink that is not configured any more stay, are told of and shown', async (t) => {
  const away = await startReceiver(t, () => 500)
  const dataDir = mkdtempSync(join(tmpdir(), 'onceward-outbox-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const origin = await chargeService(t)
  const before = await startForTest(t, origin, { yaml: yaml(hook(away.url)), dataDir })
  t.equal((await before.post('a', { body: '{"lane":"a"}' })).status, 201)
  await before.stop()
  const after = await startForTest(t, origin, { yaml: yaml('').replace(/ +outbox: .*\n|sinks:\n/g, ''), dataDir })
  await until(async () => ({ status: after.log().includes('outbox.sink-not-configured') ? 1 : 0, headers: {}, body: '', problem: null }), ({ status }) => status === 1)
  t.ok(await after.metric('outbox_lag_seconds{sink="hook"}') > 0)
})
