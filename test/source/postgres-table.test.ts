import { Client } from 'pg'
import t from 'tap'
import type { Position } from '../../src/core/source.ts'
import { sourceEvent } from '../../src/core/source-event.ts'
import { SourceTrouble } from '../../src/core/source-ports.ts'
import type { SourceSettings } from '../../src/core/source-settings.ts'
import { systemClock } from '../../src/host/clock.ts'
import { PostgresTable } from '../../src/source/postgres-table.ts'
import { applicationTable, DEBEZIUM_TABLE, sourceSettings } from '../support/application-table.ts'
import { pause } from '../support/outbox-writers.ts'
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

t.test('whoever runs has an id below the next one, and not below the oldest one', async (test) => {
  const application = await applicationTable(test)
  const table = opened(test, sourceSettings(application.url))
  const writer = await application.connect()
  await writer.query('begin')
  const { rows: [{ xid } = { xid: '0' }] } = await writer.query<{ xid: string }>('select pg_current_xact_id() as xid')
  const during = await table.read(START)
  test.ok(during.xmin <= BigInt(xid) && BigInt(xid) < during.next, `${during.xmin} <= ${xid} < ${during.next}`)
  await writer.query('commit')
  let { xmin } = during
  for (let i = 0; i < 300 && xmin <= BigInt(xid); i += 1) {
    await pause(50) // others may write on this server, too
    xmin = (await table.read(START)).xmin
  }
  test.ok(xmin > BigInt(xid), 'once it has ended all that run are younger')
})

t.test('where nobody else writes the snapshot ends before who runs, and the next id does not; looks take none', async (test) => {
  const server = await startPostgres(test)
  await server.query(DEBEZIUM_TABLE)
  await server.query('create table elsewhere ()')
  const table = opened(test, sourceSettings(server.url))
  await table.read(START)
  const [first, second] = [new Client({ connectionString: server.url }), new Client({ connectionString: server.url })]
  for (const client of [first, second]) {
    client.on('error', () => undefined)
    await client.connect()
    test.teardown(() => client.end())
  }
  await first.query('begin; insert into elsewhere default values')
  await second.query(`begin; insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x')`)
  await first.query(`insert into outbox (aggregatetype, aggregateid, type) values ('order', 'a', 'x'); commit`)
  const during = await table.read(START)
  test.strictSame(during.rows.map(({ order }) => order), [2n], 'number 1 is of a transaction with the higher id, and runs')
  const [snapshot] = await server.query('select pg_snapshot_xmin(s) = pg_snapshot_xmax(s) as is_empty from pg_current_snapshot() s')
  test.strictSame(snapshot, { is_empty: true }, 'the snapshot says that nobody runs')
  test.ok(during.xmin < during.next, 'the next id says that somebody does')
  const later = await table.read(START)
  test.strictSame([later.xmin, later.next], [during.xmin, during.next])
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
  await application.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'onceward-source' and datname = current_database()`)
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

const PLAIN = { type: 'x', columns: { order: 'seq', id: null, lane: null, type: null, payload: 'payload', time: null, traceparent: null } } as const

t.test('rows of one number come together, in whatever look: the next one begins above it', async (test) => {
  const application = await applicationTable(test, `create table outbox (seq bigint not null, payload text); create index on outbox (seq);
    insert into outbox values (1, 'a'), (2, 'b'), (2, 'c'), (2, 'd'), (3, 'e')`)
  const table = opened(test, sourceSettings(application.url, { ...PLAIN, batch: 2 }))
  const page = await table.read(START)
  test.strictSame([page.rows.map(({ order }) => order), page.isCut.above], [[1n, 2n, 2n, 2n], true])
  const late = await table.read({ cursor: 9n, gaps: [{ from: 1n, to: 3n, noticedAtMs: 0, horizon: null, lastHorizon: null }] })
  test.strictSame([late.late.map(({ order }) => order), late.isCut.late], [[1n, 2n, 2n, 2n], true])
  await application.query(`alter table outbox alter column payload set storage external`)
  await application.query(`insert into outbox select 5, repeat('x', 900000) from generate_series(1, 12)`)
  test.equal((await opened(test, sourceSettings(application.url, { ...PLAIN, batch: 2 })).read({ cursor: 3n, gaps: [] })).rows.length, 12, 'of one number however much they have')
})

t.test('what can be no event is read all the same: times beyond all years, and texts without end', async (test) => {
  const application = await applicationTable(test, `create table outbox (seq bigint generated always as identity primary key, lane text, payload text, at timestamptz);
    insert into outbox (lane, payload, at) values ('a', 'x', 'infinity'), ('a', 'x', '-infinity'), ('a', 'x', '294275-01-01'), ('a', 'x', '4713-01-01 BC'), (repeat('l', 5000000), 'x', null)`)
  const columns = { ...PLAIN.columns, lane: 'lane', time: 'at' }
  const settings = sourceSettings(application.url, { type: 'x', columns })
  const page = await opened(test, settings).read(START)
  test.strictSame(page.rows.map(({ time }) => time), [Infinity, -Infinity, 9_224_254_857_600_000, Date.parse('-004712-01-01T00:00:00Z'), null])
  test.equal(page.rows[4]?.lane?.length, 2000)
  const flaws = page.rows.map((row) => sourceEvent(row, settings, { service: 'shop', timeMs: page.at }).flaw)
  test.strictSame(flaws, [...Array<string>(4).fill('time: it is not between the years 1 and 9999'), 'lane: it is longer than 1024 bytes'])
})

t.test('a table of which no look would find all rows is refused, and one where some may be missed is warned of', async (test) => {
  const role = `hidden_${Date.now()}`
  const application = await applicationTable(test, `create table falling (seq bigint generated always as identity (increment -1) primary key, payload text);
    create table cyclic (seq smallint generated always as identity (cycle) primary key, payload text); create table loose (seq bigint, payload text);
    create materialized view stored as select * from loose;
    create table cached (seq bigint generated always as identity (cache 50 increment 10) primary key, payload text);
    create table secured (seq bigint generated always as identity primary key, payload text); alter table secured enable row level security;
    create role ${role} login; grant select on secured, cached to ${role}`)
  test.teardown(() => application.query(`drop owned by ${role}; drop role ${role}`))
  const own = new URL(application.url)
  own.username = role
  const judgedAs = async (table: string, url = own.href): Promise<readonly [string, readonly string[]]> => {
    const warnings: string[] = []
    return [await troubleOf(opened(test, sourceSettings(url, { ...PLAIN, table: [table] }), warnings).read(START)), warnings]
  }
  test.match(await judgedAs('falling', application.url), [/"falling" cannot be read: the numbers of its column seq fall/])
  test.match(await judgedAs('cyclic', application.url), [/the numbers of its column seq begin anew \(CYCLE\)/])
  test.match(await judgedAs('loose', application.url), [/its column seq may be null/])
  test.match(await judgedAs('stored', application.url), [/"stored" cannot be read: it should be a table or a view/])
  test.match(await judgedAs('cached'), ['none', [/go up by 10/, /keep 50 numbers of seq in advance/]])
  test.match(await judgedAs('secured'), ['none', [/"secured" has row security/]])
  test.strictSame(await judgedAs('secured', application.url), ['none', []], 'its owner sees all rows')
})

t.test('reading that begins with what comes begins behind the newest row, however large the rows before it are', async (test) => {
  const application = await applicationTable(test, `create table outbox (seq bigint generated always as identity primary key, payload text); alter table outbox alter column payload set storage external;
    insert into outbox (payload) select repeat('x', 900000) from generate_series(1, 20)`)
  test.equal((await opened(test, sourceSettings(application.url, { ...PLAIN, begin: 'newest' })).beginning()).cursor, 20n)
})

t.test('nothing of the session is set, which behind a pooler would be the application\'s; and a look can write nothing', async (test) => {
  const application = await applicationTable(test, `create table inner_rows (seq bigint generated always as identity primary key, payload text); create table written (); insert into inner_rows (payload) values ('a');
    create function sly() returns text language sql volatile as 'insert into written default values; select ''x''::text'; create view outbox as select seq, sly() as payload from inner_rows`)
  const table = opened(test, sourceSettings(application.url, PLAIN))
  test.match(await troubleOf(table.read(START)), /^25006: cannot execute INSERT in a read-only transaction$/)
  await application.query('create or replace view outbox as select seq, current_setting(\'transaction_read_only\') || \' \' || current_setting(\'default_transaction_read_only\') || \' \' || current_setting(\'statement_timeout\') as payload from inner_rows')
  test.match((await table.read(START)).rows, [{ payload: { text: 'on off 30s' } }])
})

t.test('a server that does not answer keeps nobody: a look that is out ends when the table is closed', async (test) => {
  const server = await startPostgres(test)
  await server.query('create table outbox (seq bigint generated always as identity primary key, payload text)')
  const table = opened(test, sourceSettings(server.url, PLAIN))
  await table.read(START)
  server.pause()
  test.teardown(() => server.resume())
  const look = troubleOf(table.read(START))
  table.close()
  test.not(await look, 'none')
  test.equal(await troubleOf(table.read(START)), 'the source is closed')
})

t.test('errors about data repeat none of it', async (test) => {
  const application = await applicationTable(test, `create table base (seq bigint generated always as identity primary key, raw text); insert into base (raw) values ('4929-1234'); create view outbox as select seq, raw::int::text as payload from base`)
  test.equal(await troubleOf(opened(test, sourceSettings(application.url, PLAIN)).read(START)), '22P02: a row cannot be read')
})
