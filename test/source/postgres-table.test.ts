import t from 'tap'
import type { Position } from '../../src/core/source.ts'
import { SourceTrouble } from '../../src/core/source-ports.ts'
import type { SourceSettings } from '../../src/core/source-settings.ts'
import { systemClock } from '../../src/host/clock.ts'
import { PostgresTable } from '../../src/source/postgres-table.ts'
import { applicationTable, sourceSettings } from '../support/application-table.ts'
import { needs } from '../support/services/needs.ts'
import { startPostgres } from '../support/services/postgres.ts'

needs(t, 'postgres')

const START: Position = { cursor: 0n, gaps: [] }

function opened(test: Pick<typeof t, 'teardown'>, settings: SourceSettings, warnings: string[] = []): PostgresTable {
  const table = new PostgresTable(settings, systemClock(), (detail) => { warnings.push(detail) })
  test.teardown(() => table.close())
  return table
}

async function troubleOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    if (error instanceof SourceTrouble) return error.message
    throw error
  }
}

t.test('rows come in the order of their numbers, with what runs beside them', async (test) => {
  const application = await applicationTable(test)
  await application.query(`insert into outbox (aggregatetype, aggregateid, type, payload) select 'order', 'c' || i % 3, 'order.created', jsonb_build_object('n', i) from generate_series(1, 5) i`)
  const table = opened(test, sourceSettings(application.url, { batch: 3 }))
  t.strictSame(await table.beginning(), START)
  const page = await table.read(START)
  test.strictSame(page.rows.map(({ order, lane, type, payload }) => [order, lane, type, payload]), [1, 2, 3].map((i) => [BigInt(i), `c${i % 3}`, 'order.created', { kind: 'json', text: `{"n": ${i}}` }]))
  test.strictSame(page.isCut, { above: true, late: false })
  test.ok(page.xmin > 0n && page.newest === 5n && Math.abs(page.at - Date.now()) < 60_000)
  const rest = await table.read({ cursor: 3n, gaps: [{ from: 1n, to: 2n, noticedAtMs: 0, horizon: null, lastHorizon: null }] })
  test.strictSame([rest.rows.map(({ order }) => order), rest.late.map(({ order }) => order), rest.isCut], [[4n, 5n], [1n, 2n], { above: false, late: false }])
})

t.test('whoever runs has an id below the next one, also where the snapshot ends before it: nobody has ended since', async (test) => {
  const application = await applicationTable(test)
  await application.query('create table elsewhere ()')
  const table = opened(test, sourceSettings(application.url))
  const [first, second] = [await application.connect(), await application.connect()]
  await first.query('begin; insert into elsewhere default values')
  await second.query(`begin; insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x')`)
  await first.query(`insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x'); commit`)
  const during = await table.read(START)
  test.strictSame(during.rows.map(({ order }) => order), [2n], 'number 1 is of a transaction with the higher id, and runs')
  const [{ xmin, xmax } = {}] = await application.query('select pg_snapshot_xmin(s) as xmin, pg_snapshot_xmax(s) as xmax from pg_current_snapshot() s')
  test.equal(xmin, xmax, 'the snapshot says that nobody runs')
  test.ok(during.xmin < during.next, 'the next id says that somebody does')
  const later = await table.read(START)
  test.strictSame([later.xmin, later.next], [during.xmin, during.next], 'looks take no ids')
  await second.query('commit')
  const after = await table.read(START)
  test.ok(after.xmin >= during.next, 'and nobody of then does')
  test.strictSame(after.rows.map(({ order }) => order), [1n, 2n])
})

t.test('json, jsonb, text and bytea are read as they are, null as nothing, and what is too large is not read at all', async (test) => {
  for (const [type, sql, wanted] of [
    ['json', `'{"b":1, "a":2}'`, { kind: 'json', text: '{"b":1, "a":2}' }], ['jsonb', `'{"b":1,"a":2}'`, { kind: 'json', text: '{"a": 2, "b": 1}' }],
    ['text', `'no json'`, { kind: 'text', text: 'no json' }], ['bytea', `'\\x00ff'`, { kind: 'bytes', bytes: Buffer.from([0, 255]) }], ['text', 'null', { kind: 'none' }],
    ['text', `repeat('x', 1000000)`, { kind: 'too-large', bytes: 1_000_000 }], ['bytea', `decode(repeat('00', 1000000), 'hex')`, { kind: 'too-large', bytes: 1_000_000 }],
  ] as const) {
    const application = await applicationTable(test, `create table outbox (seq int generated always as identity primary key, payload ${type}); insert into outbox (payload) values (${sql})`)
    const table = opened(test, sourceSettings(application.url, { columns: { order: 'seq', id: null, lane: null, type: null, payload: 'payload', time: null, traceparent: null }, type: 'x' }))
    const [row] = (await table.read(START)).rows
    test.strictSame(row, { order: 1n, id: null, lane: null, type: null, time: null, traceparent: null, payload: wanted }, `${type} ${sql.slice(0, 20)}`)
    table.close()
  }
})

t.test('names with capitals, dots, quotes and reserved words are names and nothing else', async (test) => {
  const application = await applicationTable(test, `create schema "Od.d"; create table "Od.d"."out""box" ("Select" smallint generated always as identity primary key, "drop table x; --" text, "time" timestamptz, "a{b}" text);
    insert into "Od.d"."out""box" ("drop table x; --", "time", "a{b}") values ('7', '2026-01-02 03:04:05.678Z', 'lane')`)
  const table = opened(test, sourceSettings(application.url, {
    table: ['Od.d', 'out"box'], type: 'x', columns: { order: 'Select', id: null, lane: 'a{b}', type: null, payload: 'drop table x; --', time: 'time', traceparent: null },
  }))
  test.match((await table.read(START)).rows, [{ order: 1n, lane: 'lane', time: Date.UTC(2026, 0, 2, 3, 4, 5, 678), payload: { kind: 'text', text: '7' } }])
})

t.test('numbers beyond those of JavaScript, and below zero, are exact', async (test) => {
  const application = await applicationTable(test, `create table outbox (seq bigint primary key, payload text); insert into outbox values (-9223372036854775807, 'a'), (9223372036854775806, 'b'), (9223372036854775807, 'c')`)
  const table = opened(test, sourceSettings(application.url, { type: 'x', columns: { order: 'seq', id: null, lane: null, type: null, payload: 'payload', time: null, traceparent: null } }))
  const beginning = await table.beginning()
  test.equal(beginning.cursor, -9223372036854775808n)
  test.strictSame((await table.read(beginning)).rows.map(({ order }) => order), [-9223372036854775807n, 9223372036854775806n, 9223372036854775807n])
  test.strictSame((await table.read({ cursor: 9223372036854775806n, gaps: [] })).rows.map(({ order }) => order), [9223372036854775807n])
})

t.test('a look holds some megabytes and no more, and one row at least', async (test) => {
  const application = await applicationTable(test, `create table outbox (seq bigint generated always as identity primary key, payload text); alter table outbox alter column payload set storage external; insert into outbox (payload) select repeat('x', 900000) from generate_series(1, 30)`)
  const table = opened(test, sourceSettings(application.url, { type: 'x', columns: { order: 'seq', id: null, lane: null, type: null, payload: 'payload', time: null, traceparent: null } }))
  const page = await table.read(START)
  test.equal(page.rows.length, 9)
  test.equal(page.isCut.above, true, 'there is more')
})

t.test('reading that begins with what comes remembers what is missing among the newest numbers', async (test) => {
  const application = await applicationTable(test)
  await application.query(`insert into outbox (aggregatetype, aggregateid, type) select 'order', 'c', 'x' from generate_series(1, 10)`)
  await application.query('delete from outbox where seq in (4, 7, 8)')
  const table = opened(test, sourceSettings(application.url, { begin: 'newest' }))
  const { cursor, gaps } = await table.beginning()
  test.strictSame([cursor, gaps.map(({ from, to }) => [from, to])], [10n, [[4n, 4n], [7n, 8n]]])
  const empty = await applicationTable(test)
  test.strictSame(await opened(test, sourceSettings(empty.url, { begin: 'newest' })).beginning(), START)
})

t.test('a role with what `onceward check` says can read it, and can do nothing else', async (test) => {
  const application = await applicationTable(test)
  await application.query(`insert into outbox (aggregatetype, aggregateid, type, payload) values ('secret', 'c', 'x', '1')`)
  const url = await application.reader('seq, id, aggregateid, type, payload')
  const table = opened(test, sourceSettings(url))
  test.equal((await table.read(START)).rows.length, 1)
  const { Client } = await import('pg')
  const client = new Client({ connectionString: url })
  await client.connect()
  test.teardown(() => client.end())
  for (const sql of ['update outbox set type = \'y\'', 'delete from outbox', 'insert into outbox (aggregatetype, aggregateid, type) values (\'a\', \'b\', \'c\')', 'select aggregatetype from outbox', 'create table own ()', 'select nextval(\'outbox_seq_seq\')']) {
    await test.rejects(client.query(sql), /permission denied/, sql)
  }
})

t.test('a table that cannot be read says why, every reason at once, and nothing of the password', async (test) => {
  const application = await applicationTable(test)
  const troubles = async (changes: Partial<SourceSettings>): Promise<string> => troubleOf(opened(test, sourceSettings(application.url, changes)).read(START))
  test.match(await troubles({ table: ['nowhere'] }), 'there is no table "nowhere"')
  test.match(await troubles({ table: ['none', 'outbox'] }), 'there is no table "none"."outbox"')
  test.equal(await troubles({ columns: { order: 'type', id: 'none', lane: 'aggregateid', type: 'type', payload: 'body', time: 'payload', traceparent: null } }),
    '"outbox" cannot be read: it has no column none; it has no column body; its column type is text and should be smallint, integer or bigint; its column payload is jsonb and should be a timestamp')
  const lacking = await application.reader('seq, id, aggregateid, type')
  test.match(await troubleOf(opened(test, sourceSettings(lacking)).read(START)), /^42501: permission denied for table outbox$/)
  const wrong = new URL(lacking)
  wrong.port = '1'
  wrong.password = 'sesame'
  test.match(await troubleOf(opened(test, sourceSettings(wrong.href)).read(START)), /^ECONNREFUSED: /)
  test.notMatch(await troubleOf(opened(test, sourceSettings(wrong.href)).read(START)), /sesame/)
})

t.test('after trouble the next look begins anew, with the table as it is then', async (test) => {
  const application = await applicationTable(test)
  const table = opened(test, sourceSettings(application.url))
  test.equal((await table.read(START)).rows.length, 0)
  await application.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'onceward-source'`)
  test.not(await troubleOf(table.read(START)), 'none')
  test.equal((await table.read(START)).rows.length, 0)
  await application.query('alter table outbox rename column payload to body')
  test.match(await troubleOf(table.read(START)), /payload/)
  test.match(await troubleOf(table.read(START)), 'it has no column payload')
  await application.query('alter table outbox rename column body to payload')
  test.equal((await table.read(START)).rows.length, 0)
})

t.test('an order without an index is told of, once for each connection', async (test) => {
  const application = await applicationTable(test, 'create table outbox (seq bigint generated always as identity, payload text)')
  const warnings: string[] = []
  const table = opened(test, sourceSettings(application.url, { type: 'x', columns: { order: 'seq', id: null, lane: null, type: null, payload: 'payload', time: null, traceparent: null } }), warnings)
  await table.read(START)
  await table.read(START)
  test.strictSame(warnings, ['"outbox" has no index that begins with seq: every look reads all of it'])
})

t.test('a view and a partitioned table are tables, too', async (test) => {
  const columns = { order: 'seq', id: null, lane: null, type: null, payload: 'payload', time: null, traceparent: null }
  const application = await applicationTable(test, `create table base (seq bigint generated always as identity primary key, payload text, hidden text); insert into base (payload) values ('v');
    create view outbox as select seq, payload from base; create table parts (seq bigint not null, payload text) partition by range (seq); create table p1 partition of parts for values from (0) to (10); create table p2 partition of parts for values from (10) to (20);
    insert into parts values (1, 'a'), (11, 'b')`)
  test.equal((await opened(test, sourceSettings(application.url, { type: 'x', columns })).read(START)).rows.length, 1)
  test.equal((await opened(test, sourceSettings(application.url, { type: 'x', columns, table: ['parts'] })).read(START)).rows.length, 2)
})

t.test('a replica is refused: what it says of transactions is not what the primary says', async (test) => {
  const server = await startPostgres(test, { settings: { wal_level: 'replica', hot_standby: 'on' } })
  await server.query('create table outbox (seq bigint generated always as identity primary key, id text, aggregateid text, type text, payload text)')
  const standby = await server.standby(test, 'reader')
  test.match(await troubleOf(opened(test, sourceSettings(standby.url)).read(START)), 'this server is a replica')
})
