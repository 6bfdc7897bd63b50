import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Test } from 'tap'
import { check } from '../../src/cli/check.ts'
import { applicationTable, type ApplicationTable } from './application-table.ts'
import { pause, violations, writeConcurrently, writtenRows } from './outbox-writers.ts'
import { SidecarProcess } from './sidecar-process.ts'
import { startForTest } from './start-sidecar.ts'
import { startWebhookReceiver, type Arrived, type WebhookReceiver } from './webhook-receiver.ts'

/*
 * An application's own outbox table, from its transactions to a receiver of webhooks, by the real product. Whatever stands between may die:
 * each row arrives, under one id, in the order of its lane; what arrives again is a delivery of the same event.
 */

export interface SourceScene {
  /** for the configuration; null for the embedded store */
  readonly store: string | null
}

const SECRET = `whsec_${Buffer.alloc(32).toString('base64')}`

export function sourceConfiguration(application: string, receiver: WebhookReceiver, store: string | null, more = ''): string {
  return `
${store === null ? '' : `store: ${store}\n`}sinks:
  payments: { webhook: { url: "${receiver.origin}/hook", secrets: ["${SECRET}"], allow: [127.0.0.1/32] }, base: 10ms, cap: 50ms, lease: 1s }
outbox:
  sources:
    orders: { postgres: "${application}", table: outbox, preset: debezium, order: seq, sink: payments, poll: 20ms, lease: 1s${more} }
`
}

function idOf({ headers }: Arrived): string {
  return String(headers['webhook-id']).replace(/^orders:/, '')
}

/** The first arrival of each event: a second one is a redelivery, which receivers know by its id. */
export function firsts(receiver: WebhookReceiver): string[] {
  return [...new Set(receiver.handled.map(idOf))]
}

export async function until(ready: () => Promise<boolean> | boolean, withinMs = 20_000): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end;) {
    if (await ready()) return true
    await pause(20)
  }
  return false
}

async function insert({ query }: ApplicationTable, lane: string, payload: string, type = 'order.created'): Promise<void> {
  await query('insert into outbox (aggregatetype, aggregateid, type, payload) values ($1, $2, $3, $4)', ['order', lane, type, payload])
}

export function sourceCases(suite: Test, sceneOf: () => Promise<SourceScene>): void {
  suite.test('rows of an application\'s own table arrive as events, while twenty transactions write and the sidecar is killed', async (t) => {
    const { store } = await sceneOf()
    const application = await applicationTable(t)
    const receiver = await startWebhookReceiver(t, () => 200)
    const folder = mkdtempSync(join(tmpdir(), 'onceward-test-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const config = join(folder, 'onceward.yaml')
    writeFileSync(config, sourceConfiguration(application.url, receiver, store))
    const sidecar = new SidecarProcess({ dataDir: folder, upstream: 'http://127.0.0.1:9', config })
    t.teardown(() => sidecar.kill())
    await sidecar.start()
    const writing = writeConcurrently(application, { writers: 20, transactions: 25, lanes: 6, seed: 3 })
    for (let kills = 0; kills < 3; kills += 1) {
      await pause(700)
      await sidecar.kill()
      await sidecar.start()
    }
    await writing
    const written = await writtenRows(application)
    t.ok(await until(() => firsts(receiver).length >= written.length), 'all have arrived')
    t.strictSame(violations(written, firsts(receiver)), [])
    t.equal(await sidecar.stop(), 0)
  })

  suite.test('an event says what its row says, and a row that can be none is a dead letter that holds up nobody', async (t) => {
    const { store } = await sceneOf()
    const application = await applicationTable(t)
    const receiver = await startWebhookReceiver(t, () => 200)
    await insert(application, 'customer-7', '{"amount": 12.50}')
    await insert(application, '', '{"amount": 1}')
    await insert(application, 'customer-7', '{"amount": 13}')
    const sidecar = await startForTest(t, 'http://127.0.0.1:9', { yaml: `upstream: http://127.0.0.1:9\n${sourceConfiguration(application.url, receiver, store)}` })
    t.ok(await until(() => receiver.handled.length === 2))
    const [{ id } = {}] = await application.query('select id from outbox where seq = 1')
    const [event] = receiver.handled
    t.equal(event?.headers['webhook-id'], `orders:${String(id)}`)
    t.match(JSON.parse(event?.body ?? ''), { specversion: '1.0', id: `orders:${String(id)}`, source: 'urn:onceward:default', type: 'order.created', partitionkey: 'customer-7', data: { amount: 12.5 } })
    t.equal(await sidecar.metric('dead_letter_queue_depth{sink="payments"}'), 1)
    t.equal(await sidecar.metric('onceward_source_rows_total{source="orders",outcome="taken"}'), 2)
    t.equal(await sidecar.metric('onceward_source_rows_total{source="orders",outcome="unbuilt"}'), 1)
    t.equal(await sidecar.metric('onceward_source_position{source="orders"}'), 3)
    t.equal(await sidecar.metric('onceward_source_state{source="orders"}'), 1)
    t.equal(await sidecar.metric('onceward_source_lag_seconds{source="orders"}'), 0)
    t.strictSame(await application.query('select count(*)::int as n from outbox'), [{ n: 3 }], 'its rows are as they were')
  })

  suite.test('the application\'s database comes and goes, and the sidecar with its requests stays', async (t) => {
    const { store } = await sceneOf()
    const application = await applicationTable(t)
    const receiver = await startWebhookReceiver(t, () => 200)
    await application.query('alter table outbox rename to elsewhere')
    const sidecar = await startForTest(t, 'http://127.0.0.1:9', { yaml: `upstream: http://127.0.0.1:9\n${sourceConfiguration(application.url, receiver, store)}` })
    t.ok(await until(() => sidecar.log().includes('source.interrupted')))
    t.equal(await sidecar.metric('onceward_source_state{source="orders"}'), 0)
    t.ok(await sidecar.metric('onceward_source_lag_seconds{source="orders"}') > 0)
    t.match(sidecar.log(), /there is no table \\"outbox\\"/)
    t.notMatch(sidecar.log(), /postgres:\/\//, 'no URL in the log')
    await application.query('alter table elsewhere rename to outbox')
    await insert(application, 'a', '1')
    t.ok(await until(() => receiver.handled.length === 1))
    t.equal(sidecar.log().match(/source\.interrupted/g)?.length, 1, 'told once')
  })

  suite.test('under a role with what `onceward check` prints, and no more, rows arrive, and the role may change none', async (t) => {
    const { store } = await sceneOf()
    const application = await applicationTable(t)
    const receiver = await startWebhookReceiver(t, () => 200)
    const role = `reader_${Date.now()}`
    const own = new URL(application.url)
    own.username = role
    const yaml = `upstream: http://127.0.0.1:9\n${sourceConfiguration(own.href, receiver, store)}`
    const heard: string[] = []
    t.equal(await check(join(t.testdir({ 'onceward.yaml': yaml }), 'onceward.yaml'), {}, {}, { line: (text) => { heard.push(text) }, complaint: () => undefined }), 0)
    const grants = heard.filter((line) => line.includes('GRANT')).map((line) => line.replace(/ TO reader;$/, ` TO ${role}`))
    t.equal(grants.length, 3)
    await application.query(`create role ${role} login`)
    t.teardown(() => application.query(`drop owned by ${role}; drop role ${role}`))
    await application.query(`revoke connect on database "${own.pathname.slice(1)}" from public; revoke usage on schema public from public`)
    await insert(application, 'a', '1')
    const sidecar = await startForTest(t, 'http://127.0.0.1:9', { yaml })
    t.ok(await until(() => sidecar.log().includes('source.interrupted')), 'without them nothing')
    for (const grant of grants) await application.query(grant)
    t.ok(await until(() => receiver.handled.length === 1), 'with them everything')
    const reader = new Client({ connectionString: own.href })
    await reader.connect()
    for (const sql of ['update outbox set type = \'y\'', 'delete from outbox', 'insert into outbox (aggregatetype, aggregateid, type) values (\'a\', \'b\', \'c\')', 'select aggregatetype from outbox']) await t.rejects(reader.query(sql), /permission denied/, sql)
    await reader.end()
    await sidecar.stop()
  })

  suite.test('another sink gets what is read after the reload, and another name is another source, which begins anew', async (t) => {
    const { store } = await sceneOf()
    const application = await applicationTable(t)
    const [first, second] = [await startWebhookReceiver(t, () => 200), await startWebhookReceiver(t, () => 200)]
    const yaml = (sink: string, name: string): string => `upstream: http://127.0.0.1:9
${sourceConfiguration(application.url, first, store).replace('sinks:', `sinks:\n  others: { webhook: { url: "${second.origin}/hook", secrets: ["${SECRET}"], allow: [127.0.0.1/32] }, lease: 1s }`).replace('sink: payments', `sink: ${sink}`).replace('orders:', `${name}:`)}`
    const sidecar = await startForTest(t, 'http://127.0.0.1:9', { yaml: yaml('payments', 'orders') })
    await insert(application, 'a', '1')
    t.ok(await until(() => first.handled.length === 1))
    await sidecar.reconfigure(yaml('others', 'orders'))
    await insert(application, 'a', '2')
    t.ok(await until(() => second.handled.length === 1))
    await sidecar.reconfigure(yaml('others', 'renamed'))
    t.ok(await until(() => second.handled.length === 3))
    t.strictSame([first.handled.length, second.handled.map(({ headers }) => String(headers['webhook-id']).split(':')[0])], [1, ['orders', 'renamed', 'renamed']])
  })

  suite.test('a reload that changes the source begins it anew where it stood; one without it stops it', async (t) => {
    const { store } = await sceneOf()
    const application = await applicationTable(t)
    const receiver = await startWebhookReceiver(t, () => 200)
    const yaml = (more?: string): string => `upstream: http://127.0.0.1:9\n${sourceConfiguration(application.url, receiver, store, more)}`
    const sidecar = await startForTest(t, 'http://127.0.0.1:9', { yaml: yaml() })
    await insert(application, 'a', '1')
    t.ok(await until(() => receiver.handled.length === 1))
    await sidecar.reconfigure(yaml(', batch: 7'))
    await insert(application, 'a', '2')
    t.ok(await until(() => receiver.handled.length === 2))
    await sidecar.reconfigure(yaml().replace(/outbox:[^]*$/, ''))
    await insert(application, 'a', '3')
    await pause(300)
    t.equal(receiver.handled.length, 2)
    await sidecar.reconfigure(yaml())
    t.ok(await until(() => receiver.handled.length === 3))
    t.equal(firsts(receiver).length, 3)
  })
}
