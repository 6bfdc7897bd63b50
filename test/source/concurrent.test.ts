import t from 'tap'
import { systemClock } from '../../src/host/clock.ts'
import { systemRandom } from '../../src/host/random.ts'
import { SourceReader } from '../../src/relay/source.ts'
import { PostgresTable } from '../../src/source/postgres-table.ts'
import { applicationTable, DEBEZIUM_TABLE, sourceSettings, type ApplicationTable } from '../support/application-table.ts'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'
import { pause, violations, writeConcurrently, writtenRows } from '../support/outbox-writers.ts'
import { needs } from '../support/services/needs.ts'
import { startPostgres } from '../support/services/postgres.ts'

needs(t, 'postgres')

const WRITERS = { writers: 20, transactions: 40, lanes: 8 }
const QUIET = { sources: () => undefined, brought: () => undefined, passed: () => undefined, stands: () => undefined, reads: () => undefined }
const MUTE = { ring: () => undefined, ringVacant: () => undefined, hearVacant: () => () => undefined }
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Everything that waits, in the order in which it would leave its lane. */
async function publishedBy(store: MemoryOutboxStore): Promise<string[]> {
  const { events } = await store.take({ sink: 'payments', after: null, lanes: 10_000, perLane: 100_000, bytes: 1e9, busy: [] })
  return events.toSorted((a, b) => a.row - b.row).map(({ id }) => id.slice('orders:'.length))
}

async function settled(application: ApplicationTable, store: MemoryOutboxStore): Promise<void> {
  const written = (await writtenRows(application)).length
  for (let i = 0; i < 200 && (await publishedBy(store)).length < written; i += 1) await pause(50)
  await pause(300) // nothing comes twice either
}

t.test('twenty transactions at a time that commit out of order: every row is published once, in the order of its lane', async (test) => {
  const application = await applicationTable(test)
  const store = new MemoryOutboxStore(systemClock())
  const settings = sourceSettings(application.url, { batch: 50 })
  const reader = new SourceReader({
    settings, table: new PostgresTable(settings, systemClock(), () => undefined), service: 'shop', store, bell: MUTE, clock: systemClock(), random: systemRandom(), meter: QUIET, journal: SILENT,
  })
  reader.start()
  await writeConcurrently(application, { ...WRITERS, seed: 1 })
  await settled(application, store)
  await reader.stop()
  const written = await writtenRows(application)
  test.ok(written.length > 1000)
  test.ok((written.at(-1)?.order ?? 0) > written.length, 'some were rolled back')
  test.strictSame(violations(written, await publishedBy(store)), [])
})

t.test('a cursor alone, which is what one writes first, skips rows under the same load: this test would see it', async (test) => {
  const application = await applicationTable(test)
  const published: string[] = []
  let cursor = 0
  let writing = true
  const serial = (async () => {
    for (let last = false; !last;) {
      last = !writing
      for (const { seq, id } of await application.query('select seq, id from outbox where seq > $1 order by seq', [cursor])) {
        published.push(String(id))
        cursor = Number(seq)
      }
      await pause(20)
    }
  })()
  await writeConcurrently(application, { ...WRITERS, seed: 1 })
  writing = false
  await serial
  const wrong = violations(await writtenRows(application), published)
  test.ok(wrong.some((what) => what.endsWith('was skipped')), `${wrong.length} of them`)
})

t.test('a transaction that outlasts `hold` lets the others pass, and its row is published when it comes', async (test) => {
  const application = await applicationTable(test)
  const store = new MemoryOutboxStore(systemClock())
  const settings = sourceSettings(application.url, { holdMs: 300, lateMs: 1000 })
  const warned: string[] = []
  const reader = new SourceReader({
    settings, table: new PostgresTable(settings, systemClock(), () => undefined), service: 'shop', store, bell: MUTE, clock: systemClock(), random: systemRandom(), meter: QUIET,
    journal: { ...SILENT, warn: (event) => { warned.push(event) } },
  })
  reader.start()
  const insert = `insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x')`
  const slow = await application.connect()
  await slow.query('begin')
  await slow.query(insert)
  const prepared = Date.now()
  await application.query(insert)
  for (let i = 0; i < 200 && store.waiting < 1; i += 1) await pause(20)
  test.equal(store.waiting, 1)
  test.ok(Date.now() - prepared >= 300, 'it was held up, in case that the other comes')
  test.strictSame(warned, ['source.passed-missing'])
  await pause(1500) // past `late`: but its transaction runs
  await slow.query('commit')
  for (let i = 0; i < 200 && store.waiting < 2; i += 1) await pause(20)
  await reader.stop()
  test.equal(store.waiting, 2)
})

t.test('on a database where nothing else happens, a transaction with the higher id and the lower number is waited for', async (test) => {
  const application = await applicationTable(test)
  await application.query('create table elsewhere ()')
  const store = new MemoryOutboxStore(systemClock())
  const settings = sourceSettings(application.url, { lateMs: 300 })
  const reader = new SourceReader({
    settings, table: new PostgresTable(settings, systemClock(), () => undefined), service: 'shop', store, bell: MUTE, clock: systemClock(), random: systemRandom(), meter: QUIET, journal: SILENT,
  })
  const insert = `insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x')`
  const [first, second] = [await application.connect(), await application.connect()]
  await first.query('begin; insert into elsewhere default values')
  await second.query(`begin; ${insert}`)
  await first.query(`${insert}; commit`)
  reader.start()
  await pause(1500) // the snapshot ends before the transaction that is missing, and says nothing of it
  test.equal(store.waiting, 0, 'number 2 waits for number 1')
  await second.query('commit')
  for (let i = 0; i < 200 && store.waiting < 2; i += 1) await pause(20)
  await reader.stop()
  test.strictSame(violations(await writtenRows(application), await publishedBy(store)), [])
})

t.test('thousands of rows of one transaction that outlasts `hold` and `late` are all published', async (test) => {
  const application = await applicationTable(test)
  const store = new MemoryOutboxStore(systemClock())
  const settings = sourceSettings(application.url, { holdMs: 100, lateMs: 300, batch: 50 })
  const reader = new SourceReader({
    settings, table: new PostgresTable(settings, systemClock(), () => undefined), service: 'shop', store, bell: MUTE, clock: systemClock(), random: systemRandom(), meter: QUIET, journal: SILENT,
  })
  reader.start()
  const slow = await application.connect()
  await slow.query(`begin; insert into outbox (aggregatetype, aggregateid, type) select 'order', 'a', 'x' from generate_series(1, 2000)`)
  await application.query(`insert into outbox (aggregatetype, aggregateid, type) values ('order', 'b', 'x')`)
  for (let i = 0; i < 200 && store.waiting < 1; i += 1) await pause(20)
  await pause(600)
  await slow.query('commit')
  for (let i = 0; i < 300 && store.waiting < 2001; i += 1) await pause(20)
  await reader.stop()
  test.strictSame(violations(await writtenRows(application), await publishedBy(store)), [])
})

t.test('a prepared transaction is waited for like any other: for `hold` with all rows, and for hours with its own', async (test) => {
  const server = await startPostgres(test, { settings: { max_prepared_transactions: 2 } })
  await server.query(DEBEZIUM_TABLE)
  const store = new MemoryOutboxStore(systemClock())
  const settings = sourceSettings(server.url, { holdMs: 200, lateMs: 300 })
  let passed = 0
  const reader = new SourceReader({
    settings, table: new PostgresTable(settings, systemClock(), () => undefined), service: 'shop', store, bell: MUTE, clock: systemClock(), random: systemRandom(),
    meter: { ...QUIET, passed: (_, gaps) => { passed += gaps } }, journal: SILENT,
  })
  await server.query(`begin; insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x'); prepare transaction 'forgotten'`)
  await server.query(`insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x')`)
  reader.start()
  for (let i = 0; i < 200 && store.waiting < 1; i += 1) await pause(20)
  test.strictSame([store.waiting, passed], [1, 1], 'counted once')
  await pause(1000)
  await server.query(`commit prepared 'forgotten'`)
  for (let i = 0; i < 200 && store.waiting < 2; i += 1) await pause(20)
  await reader.stop()
  test.equal(store.waiting, 2)
})
