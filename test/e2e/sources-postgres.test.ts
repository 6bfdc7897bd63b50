import t from 'tap'
import { applicationTable } from '../support/application-table.ts'
import { startForTest } from '../support/start-sidecar.ts'
import { needs } from '../support/services/needs.ts'
import { postgresUrl } from '../support/services/postgres.ts'
import { pause } from '../support/outbox-writers.ts'
import { sourceCases } from '../support/source-cases.ts'
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
