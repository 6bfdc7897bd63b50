import t, { test, type Test } from 'tap'
import { HeldClock, claimed, completion, request } from '../../contract/situation.ts'
import { ALL, committing, delivered, event, EVERYTHING, idsOf, led, LEASE_MS, retry, SINK, taken } from '../../contract/outbox/situation.ts'
import { openPostgresStores } from '../../../src/store/postgres/key-store.ts'
import type { Stores } from '../../../src/core/outbox-ports.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { connected, storeOptions, until } from './opened.ts'

needs(t, 'postgres')

async function opened(t: Test, url: string): Promise<Stores> {
  const stores = await openPostgresStores(storeOptions(url))
  t.teardown(() => stores.keys.close())
  return stores
}

const INSERT = 'insert into onceward.outbox_event (id, sink, lane, type, payload, committed_at) values ($1, $2, $3, $4, $5, 0)'

test('an event that commits late, with a lower row than what was delivered, is taken nevertheless', async (t) => {
  const url = await postgresUrl()
  const { keys, outbox } = await opened(t, url)
  const lead = await led(outbox)
  const late = await connected(t, url)
  await late.query('begin')
  await late.query(INSERT, ['a1', SINK, 'a', 'charge.created', Buffer.from('{}')])
  await late.query(INSERT, ['z1', SINK, 'z', 'charge.created', Buffer.from('{}')])
  await committing(keys)(event('a2'), event('b1'))
  const { events } = await outbox.take(EVERYTHING)
  t.strictSame(events.map(({ id }) => id), ['a2', 'b1'])
  t.equal(await outbox.settle(lead, events.map(delivered)), 'written')
  await late.query('commit')
  t.strictSame(await taken(outbox), ['a1', 'z1'])
})

test('an older program, which names the old columns only, goes on writing events that are delivered', async (t) => {
  const url = await postgresUrl()
  const { outbox } = await opened(t, url)
  const older = await connected(t, url)
  await older.query(INSERT, ['a1', SINK, 'a', 'charge.created', Buffer.from('{}')])
  t.strictSame(await taken(outbox), ['a1'])
  const [row] = (await outbox.take(EVERYTHING)).events
  t.equal(await outbox.settle(await led(outbox), row === undefined ? [] : [retry(row, 0)]), 'written')
  t.match(await outbox.census([]), [{ sink: SINK }])
})

test('a settle and a takeover stand in line: whoever is second sees what the first has written', async (t) => {
  const url = await postgresUrl()
  const { keys, outbox } = await opened(t, url)
  const lead = await led(outbox)
  await committing(keys)(event('a1'))
  const { events } = await outbox.take(EVERYTHING)
  const other = await connected(t, url)
  await other.query('begin')
  await other.query("update onceward.relay_lease set holder = 'relay-2', fence = fence + 1")
  const settled = outbox.settle(lead, events.map(delivered))
  await until(async () => (await other.query("select from pg_stat_activity where wait_event_type = 'Lock'")).rows.length > 0)
  await other.query('commit')
  t.equal(await settled, 'fenced')
  t.strictSame(await taken(outbox), ['a1'])
})

test('while a settle is under way nobody takes over', async (t) => {
  const url = await postgresUrl()
  const { keys, outbox } = await opened(t, url)
  const lead = await led(outbox)
  await committing(keys)(event('a1'))
  const { events } = await outbox.take(EVERYTHING)
  const other = await connected(t, url)
  await other.query('begin')
  await other.query('select from onceward.outbox_event for update') // the settle waits for this row, with the lease in hand
  const settled = outbox.settle(lead, events.map(delivered))
  await until(async () => (await other.query("select from pg_stat_activity where wait_event_type = 'Lock'")).rows.length > 0)
  const takeover = await connected(t, url)
  await takeover.query("set lock_timeout = '100ms'")
  await t.rejects(takeover.query("update onceward.relay_lease set holder = 'relay-2', fence = fence + 1"), /lock timeout/)
  await other.query('rollback')
  t.equal(await settled, 'written')
})

test('settles of one tick share one statement', async (t) => {
  const url = await postgresUrl()
  const { keys, outbox } = await opened(t, url)
  const lead = await led(outbox)
  await committing(keys)(...Array.from({ length: 100 }, (_, n) => event(`e${n}`, { lane: `${n}` })))
  const { events } = await outbox.take(EVERYTHING)
  const admin = await connected(t, url)
  await outbox.settle(lead, [])
  const before = await admin.query<{ xid: string }>('select txid_current() as xid')
  t.strictSame(await Promise.all(events.map((waiting) => outbox.settle(lead, [delivered(waiting)]))), events.map(() => 'written'))
  const after = await admin.query<{ xid: string }>('select txid_current() as xid')
  t.equal(Number(after.rows[0]?.xid) - Number(before.rows[0]?.xid), 2, 'one transaction, and the one that asked')
})

test('the bytes of a lane decide its place, whatever the database sorts by', async (t) => {
  const url = await postgresUrl()
  const { keys, outbox } = await opened(t, url)
  await committing(keys)(...['b', 'B', 'a', '\u00e9', 'Z', '\uE000', '\u{10000}', '_'].map((lane, n) => event(`e${n}`, { lane })))
  const { events } = await outbox.take(EVERYTHING)
  t.strictSame(events.map(({ lane }) => lane), ['B', 'Z', '_', 'a', 'b', '\u00e9', '\uE000', '\u{10000}'])
})

test('one call looks at no more lanes than it may, and the next ones go on behind them', async (t) => {
  const url = await postgresUrl()
  const { outbox } = await opened(t, url)
  const admin = await connected(t, url)
  await admin.query(`insert into onceward.outbox_event (id, sink, lane, type, payload, committed_at, not_before)
    select 'e' || n, $1, to_char(n, '000000'), 'x', '{}', 0, case when n <= 500 then 9000000000000 end from generate_series(1, 510) n`, [SINK])
  let [calls, after]: [number, string | null] = [0, null]
  const seen: string[] = []
  do {
    const part = await outbox.take({ ...EVERYTHING, lanes: 10, after })
    seen.push(...idsOf(part))
    after = part.next
    calls += 1
  } while (after !== null)
  t.strictSame(seen, Array.from({ length: 10 }, (_, n) => `e${501 + n}`))
  t.ok(calls >= 13 && calls <= 15, `${calls} calls of forty looks each`)
})

test('a take of many lanes, of one long lane, and behind many that rest reads no more than it gives', async (t) => {
  const url = await postgresUrl()
  const { outbox } = await opened(t, url)
  const admin = await connected(t, url)
  const fill = (sink: string, rows: number, lane: string, rest = 'null') => admin.query(`insert into onceward.outbox_event (id, sink, lane, type, payload, committed_at, not_before)
    select '${sink}' || n, '${sink}', ${lane}, 'x', '{}', 0, ${rest} from generate_series(1, ${rows}) n`)
  await fill('long', 50_000, "'one'")
  await fill('many', 1000, "to_char(n, '0000')")
  const read = async (): Promise<number> => {
    return Number((await admin.query<{ n: string }>("select idx_tup_read as n from pg_stat_user_indexes where indexrelname = 'waiting_by_lane'")).rows[0]?.n)
  }
  const before = await read()
  t.equal((await outbox.take({ ...EVERYTHING, sink: 'long', lanes: 256, perLane: 100 })).events.length, 100)
  t.equal((await outbox.take({ ...EVERYTHING, sink: 'many', lanes: 1000, perLane: 1 })).events.length, 1000)
  let rows = 0
  await until(async () => {
    await outbox.take({ ...EVERYTHING, sink: 'nobody' }) // a connection tells what it has read after a statement, at most once a second
    rows = await read() - before
    return rows >= 1000
  })
  t.ok(rows < 4000, `${rows} entries of the index`)
})

test('one dead letter of many is shown, redriven and discarded without a look at the others', async (t) => {
  const url = await postgresUrl()
  const { outbox } = await opened(t, url)
  const admin = await connected(t, url)
  await admin.query(`insert into onceward.outbox_event (id, sink, lane, type, payload, committed_at, dead_at, cause)
    select 'e' || n, $1, 'a', 'x', '{}', 0, 1, 'status 422' from generate_series(1, 20000) n`, [SINK])
  await admin.query('analyze onceward.outbox_event')
  const act = { by: 'ada', reason: 'a look' }
  t.match(await outbox.deadLetters({ ...ALL, id: 'e15000' }, 1, null), [{ id: 'e15000' }])
  t.strictSame(await outbox.redrive({ ...ALL, id: 'e15001' }, 1, act), { redriven: 1, unbuilt: 0 })
  t.equal(await outbox.discard({ ...ALL, id: 'e15002' }, 1, act), 1)
  t.equal(await outbox.discard({ ...ALL, id: 'e20001' }, 1, act), 0)
  let read = 0
  await until(async () => {
    await outbox.take({ ...EVERYTHING, sink: 'nobody' }) // as above
    read = Number((await admin.query<{ n: string }>("select sum(idx_tup_read) as n from pg_stat_user_indexes where relname = 'outbox_event'")).rows[0]?.n)
    return read > 0
  })
  t.ok(read < 100, `${read} entries of indexes`)
})

test('leadership of a sink that nobody had before goes to one of many processes', async (t) => {
  const url = await postgresUrl()
  const stores = await Promise.all([1, 2, 3].map(() => opened(t, url)))
  const asked = await Promise.all(stores.map(({ outbox }, n) => outbox.lead('fresh', `relay-${n}`, LEASE_MS)))
  t.equal(asked.filter(({ kind }) => kind === 'leading').length, 1)
})

test('a store that closes answers what it was asked before', async (t) => {
  const url = await postgresUrl()
  const { keys, outbox } = await openPostgresStores({ ...storeOptions(url), now: () => new HeldClock().wallMs() })
  const lead = await led(outbox)
  await keys.complete(await claimed(keys, request('a', '1')), completion('done', [event('a1')]))
  const { events } = await outbox.take(EVERYTHING)
  const calls = [outbox.settle(lead, events.map(delivered)), outbox.census([]), outbox.deadLetters(ALL, 1, null)]
  await keys.close()
  t.match(await Promise.all(calls), ['written', [], []])
})
