import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'tap'
import type { Stores } from '../../src/core/outbox-ports.ts'
import { openEmbeddedStores } from '../../src/store/sqlite/key-store.ts'
import { ALL, buried, committing, dead, delivered, event, EVERYTHING, led, LEASE_MS, retry, SINK, taken, takenOne } from '../contract/outbox/situation.ts'
import { ACT, claimed, completion, HeldClock, request } from '../contract/situation.ts'
import { copyFolder, folderOf } from './folder.ts'

function opened(dataDir: string, clock = new HeldClock()): Promise<Stores> {
  return openEmbeddedStores({ dataDir, clock })
}

function change(dataDir: string, sql: string): void {
  const database = new DatabaseSync(join(dataDir, 'onceward.db'))
  database.exec(sql)
  database.close()
}

test('after a restart anybody may lead at once, under a higher fence than any before', async (t) => {
  const dataDir = folderOf(t)
  const before = await opened(dataDir)
  const lead = await led(before.outbox, 'one')
  await committing(before.keys)(event('a1'))
  await before.keys.close()
  const after = await opened(dataDir)
  t.teardown(() => after.keys.close())
  const a1 = await takenOne(after.outbox, 'a1')
  t.equal(await after.outbox.settle(lead, [delivered(a1)]), 'fenced', 'the old leadership has ended with its process')
  t.equal((await led(after.outbox, 'two')).fence, 2)
})

test('what was settled and what was not is so after a crash', async (t) => {
  const folder = folderOf(t)
  const [dataDir, copy] = [join(folder, 'data'), join(folder, 'copy')]
  const clock = new HeldClock()
  const { keys, outbox } = await opened(dataDir, clock)
  t.teardown(() => keys.close())
  const lead = await led(outbox)
  await committing(keys)(event('a1'), event('b1'), event('c1'), event('d1'))
  const { events: [a1, b1, c1] } = await outbox.take(EVERYTHING)
  if (a1 === undefined || b1 === undefined || c1 === undefined) throw new Error('four events')
  await outbox.settle(lead, [delivered(a1), retry(b1, 5000), dead(c1, true)])
  copyFolder(dataDir, copy)
  const after = await opened(copy, clock)
  t.teardown(() => after.keys.close())
  t.strictSame(await taken(after.outbox), ['d1'])
  t.equal((await after.outbox.take(EVERYTHING)).dueInMs, 5000)
  t.match(await after.outbox.deadLetters(ALL, 10, null), [{ id: 'c1', history: [{ cause: 'status 422' }] }])
})

test('a settle shares its commit with claims, and one that cannot be written fails alone', async (t) => {
  const dataDir = folderOf(t)
  const first = await opened(dataDir)
  await committing(first.keys)(event('a1'), event('b1'))
  await first.keys.close()
  change(dataDir, "create trigger planted before delete on outbox_event when old.id = 'a1' begin select raise(abort, 'planted'); end")
  const { keys, outbox } = await opened(dataDir)
  t.teardown(() => keys.close())
  const lead = await led(outbox)
  const { events: [a1, b1] } = await outbox.take(EVERYTHING)
  if (a1 === undefined || b1 === undefined) throw new Error('two events')
  const ends = await Promise.allSettled([keys.claim(request('k', '1')), outbox.settle(lead, [delivered(a1)]), outbox.settle(lead, [delivered(b1)]), outbox.lead(SINK, lead.holder, LEASE_MS)])
  t.match(ends, [{ value: { kind: 'claimed' } }, { reason: { name: 'StoreUnavailable', written: 'no' } }, { value: 'written' }, { value: { kind: 'leading', lead } }])
  t.strictSame(await taken(outbox), ['a1'])
})

test('a leadership that was taken in a batch that failed, and again alone, keeps its fence across a restart', async (t) => {
  const dataDir = folderOf(t)
  const first = await opened(dataDir)
  await committing(first.keys)(event('a1'))
  await first.keys.close()
  change(dataDir, "create trigger planted before delete on outbox_event begin select raise(abort, 'planted'); end")
  const { keys, outbox } = await opened(dataDir)
  const lead = await led(outbox, 'one', 'other')
  const a1 = await takenOne(outbox, 'a1')
  const own = await led(outbox)
  const ends = await Promise.allSettled([outbox.resign(lead), outbox.lead('other', 'two', LEASE_MS), outbox.settle(own, [delivered(a1)])])
  t.match(ends, [{ status: 'fulfilled' }, { value: { lead: { holder: 'two', fence: 2 } } }, { status: 'rejected' }])
  await keys.close()
  const again = await opened(dataDir)
  t.teardown(() => again.keys.close())
  t.equal((await led(again.outbox, 'three', 'other')).fence, 3)
})

for (const [what, sql] of [
  ['payload', "payload = x'7b7d'"], ['lane', "lane = 'z'"], ['type', "type = 'z'"], ['attempts', 'attempts = attempts + 1'], ['rest', 'not_before = 1'], ['history', "history = '[{}]'"],
] as const) {
  test(`an event whose ${what} is not what was written is delivered to nobody`, async (t) => {
    const dataDir = folderOf(t)
    const before = await opened(dataDir)
    await committing(before.keys)(event('a1'), event('x1', { sink: 'other' }))
    await before.keys.close()
    change(dataDir, `update outbox_event set ${sql} where id = 'a1'`)
    const { keys, outbox } = await opened(dataDir)
    t.teardown(() => keys.close())
    await t.rejects(outbox.take(EVERYTHING), { name: 'StoreUnavailable', message: /an event/ })
    t.strictSame(await taken(outbox, { sink: 'other' }), ['x1'], 'other sinks go on')
    t.match(await keys.claim(request('k', '1')), { kind: 'claimed' })
  })
}

test('dead letters, acts and fences that were tampered with are told as damage', async (t) => {
  const dataDir = folderOf(t)
  const before = await opened(dataDir)
  const open = { ...before, commit: committing(before.keys), clock: new HeldClock(), close: () => Promise.resolve() }
  await buried(open, await led(before.outbox), event('a1'), false)
  await buried(open, await led(before.outbox), event('a2'), false)
  await before.outbox.discard({ ...ALL, id: 'a2' }, 1, ACT)
  await before.keys.close()
  change(dataDir, "update outbox_event set cause = 'other'; update outbox_audit set by = 'nobody'; update sink_fence set fence = 7")
  const { keys, outbox } = await opened(dataDir)
  t.teardown(() => keys.close())
  await t.rejects(outbox.deadLetters(ALL, 10, null), { message: 'the checksum of an event is wrong' })
  await t.rejects(outbox.redrive(ALL, 10, ACT), { message: 'the checksum of an event is wrong' })
  await t.rejects(outbox.audit(10), { message: /audit is wrong/ })
  await t.rejects(outbox.lead(SINK, 'relay-1', LEASE_MS), { message: /fence of a sink is wrong/ })
})

test('events of before there were relays are delivered', async (t) => {
  const dataDir = folderOf(t)
  const before = await opened(dataDir)
  await committing(before.keys)(event('a1'))
  await before.keys.close()
  change(dataDir, `drop index waiting_by_lane; drop index waiting_by_age; drop index dead_by_sink; drop index dead_by_row; drop index blocked_lanes;
    create table older as select row, id, sink, lane, type, payload, committed_at, checksum from outbox_event;
    drop table outbox_event; drop table sink_fence; drop table outbox_audit; delete from migration where name like '%-outbox.sql' and number > 1;
    create table outbox_event (row integer primary key autoincrement, id text not null unique, sink text not null, lane text not null, type text not null, payload blob not null, committed_at integer not null, checksum integer not null) strict;
    insert into outbox_event select * from older; drop table older`)
  const { keys, outbox } = await opened(dataDir)
  t.teardown(() => keys.close())
  const { events } = await outbox.take(EVERYTHING)
  t.match(events, [{ id: 'a1', attempts: 0 }])
  t.equal(await outbox.settle(await led(outbox), events.map(delivered)), 'written')
  t.strictSame(await taken(outbox), [])
})

test('a take reads what it gives, and not the whole of a long lane', async (t) => {
  const dataDir = folderOf(t)
  const { keys, outbox } = await opened(dataDir)
  t.teardown(() => keys.close())
  const many = Array.from({ length: 10_000 }, (_, n) => event(`e${n}`, { lane: 'one' }))
  await keys.complete(await claimed(keys, request('k', '1')), completion('done', many))
  const startedMs = performance.now()
  t.equal((await outbox.take({ ...EVERYTHING, perLane: 100 })).events.length, 100)
  t.ok(performance.now() - startedMs < 100, 'it reads what it gives, and not the lane')
})

test('one dead letter of many is discarded without a look at the others', async (t) => {
  const dataDir = folderOf(t)
  const { keys, outbox } = await opened(dataDir)
  t.teardown(() => keys.close())
  const many = Array.from({ length: 60_000 }, (_, n) => event(`e${n}`, { flaw: 'data: it is not there' }))
  await keys.complete(await claimed(keys, request('k', '1')), completion('done', many))
  const startedMs = performance.now()
  await Promise.all(many.slice(-200).map(async ({ id }) => t.equal(await outbox.discard({ ...ALL, id }, 1, ACT), 1)))
  t.ok(performance.now() - startedMs < 1000, 'two hundred times sixty thousand rows take longer')
})
