import { join } from 'node:path'
import t from 'tap'
import { applicationTable } from '../support/application-table.ts'
import { startForTest } from '../support/start-sidecar.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { pause, violations, writeConcurrently, writtenRows } from '../support/outbox-writers.ts'
import { SidecarProcess } from '../support/sidecar-process.ts'
import { firsts, sourceCases, sourceConfiguration, until } from '../support/source-cases.ts'
import { startWebhookReceiver } from '../support/webhook-receiver.ts'

needs(t, 'postgres')

sourceCases(t, async () => ({ store: `{ postgres: "${await postgresUrl()}" }` }))

t.test('of two sidecars one reads; when it stops the other goes on, and nothing is read twice', async (test) => {
  const application = await applicationTable(test)
  const store = await postgresUrl()
  const receiver = await startWebhookReceiver(test, () => 200)
  const yaml = `
upstream: http://127.0.0.1:9
store: { postgres: "${store}" }
sinks: { payments: { webhook: { url: "${receiver.origin}", allow: [127.0.0.1/32] }, lease: 1s } }
outbox: { sources: { orders: { postgres: "${application.url}", table: outbox, preset: debezium, order: seq, sink: payments, poll: 20ms, lease: 1s } } }
`
  const one = await startForTest(test, 'http://127.0.0.1:9', { yaml })
  const insert = (n: number): Promise<unknown> => application.query(`insert into outbox (aggregatetype, aggregateid, type, payload) select 'order', 'lane-' || i % 5, 'x', to_jsonb(i) from generate_series(1, ${n}) i`)
  const arrive = async (n: number): Promise<void> => { for (let i = 0; i < 500 && receiver.handled.length < n; i += 1) await pause(20) }
  await insert(50)
  await arrive(50)
  const two = await startForTest(test, 'http://127.0.0.1:9', { yaml })
  await insert(50)
  await arrive(100)
  for (let i = 0; i < 200 && await two.metric('onceward_source_state{source="orders"}') !== 2; i += 1) await pause(20)
  test.equal(await two.metric('onceward_source_state{source="orders"}'), 2, 'it follows')
  await one.stop()
  await insert(50)
  await arrive(150)
  await pause(200)
  test.equal(receiver.handled.length, 150)
  test.equal(new Set(receiver.handled.map(({ headers }) => headers['webhook-id'])).size, 150)
  test.equal(await two.metric('onceward_source_state{source="orders"}'), 1)
})

t.test('the sidecar that reads is killed in the middle of it, again and again, and the other one goes on: every row once, in the order of its lane', async (test) => {
  const application = await applicationTable(test)
  const receiver = await startWebhookReceiver(test, () => 200)
  const folder = test.testdir({ 'onceward.yaml': sourceConfiguration(application.url, receiver, `{ postgres: "${await postgresUrl()}" }`) })
  const sidecars = ['one', 'two'].map((name) => new SidecarProcess({ dataDir: join(folder, name), upstream: 'http://127.0.0.1:9', config: join(folder, 'onceward.yaml') }))
  test.teardown(() => Promise.all(sidecars.map((sidecar) => sidecar.kill())))
  for (const sidecar of sidecars) await sidecar.start()
  const reads = async (sidecar: SidecarProcess): Promise<boolean> => (await (await fetch(`${sidecar.adminOrigin}/metrics`)).text()).includes('onceward_source_state{source="orders"} 1')
  const writing = writeConcurrently(application, { writers: 20, transactions: 30, lanes: 6, seed: 5 })
  let killed = 0
  for (let n = 0; n < 3; n += 1) {
    await pause(900)
    for (const sidecar of sidecars) {
      if (!await reads(sidecar)) continue
      await sidecar.kill()
      killed += 1
      await sidecar.start()
    }
  }
  await writing
  const written = await writtenRows(application)
  test.ok(await until(() => firsts(receiver).length >= written.length), 'all have arrived')
  test.strictSame(violations(written, firsts(receiver)), [])
  test.ok(killed > 0, `${killed} were killed`)
  for (const sidecar of sidecars) test.equal(await sidecar.stop(), 0)
})
