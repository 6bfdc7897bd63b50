import { readFileSync } from 'node:fs'
import t, { test } from 'tap'
import { openPostgresStore, openPostgresStores } from '../../../src/store/postgres/key-store.ts'
import { migrate } from '../../../src/store/postgres/migrate.ts'
import { ALL, led, takenOne } from '../../contract/outbox/situation.ts'
import { look } from '../../contract/shadow.ts'
import { begun, claimed, completion, event, giveUp, request, work } from '../../contract/situation.ts'
import { needs } from '../../support/services/needs.ts'
import { postgresUrl } from '../../support/services/postgres.ts'
import { connected, storeOptions } from './opened.ts'

needs(t, 'postgres')

const PAGE = readFileSync(new URL('../../../docs/postgres.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ')
/** As docs/postgres.md tells it. */
const GRANTS = [
  ['select, insert, update, delete', ['key_record', 'unsettled', 'outbox_event', 'shadow_key'], 'select, insert, update and delete on `key_record`, `unsettled`, `outbox_event` and `shadow_key`'],
  ['select, insert, update', ['relay_lease', 'source_position'], 'select, insert and update on `relay_lease` and `source_position`'],
  ['select, insert', ['audit', 'outbox_audit'], 'select and insert on `audit` and `outbox_audit`'],
  ['select, update', ['installation'], 'select and update on `installation`'],
  ['select', ['migration'], 'select on `migration`'],
] as const

test('an account with what the page says, and no more, can do all that a sidecar does', async (t) => {
  const url = await postgresUrl()
  await migrate(storeOptions(url))
  const admin = await connected(t, url)
  const role = `sidecar_${process.pid}_${Date.now()}`
  await admin.query(`create role ${role} login`)
  await admin.query(`grant usage on schema onceward to ${role}`)
  for (const [privileges, tables, words] of GRANTS) {
    t.ok(PAGE.includes(words), `the page says: ${words}`)
    await admin.query(`grant ${privileges} on ${tables.map((table) => `onceward.${table}`).join(', ')} to ${role}`)
  }
  const own = new URL(url)
  own.username = role
  const { keys: store, outbox, shadow } = await openPostgresStores(storeOptions(own.href, { migrate: 'by_hand' }))
  t.teardown(() => store.close())
  await store.secret('candidate')
  await store.keySpace(null, 'space')
  const act = { by: 'somebody', reason: 'a test' }
  const [a, b, c, d] = [await claimed(store, request('a', '1')), await claimed(store, request('b', '1')), await claimed(store, request('c', '1')), await claimed(store, request('d', '1'))]
  t.strictSame(await store.renew([{ claim: a, leaseMs: 1000 }]), ['written'])
  t.equal(await store.flag(a.id), 'flagged')
  t.equal(await store.complete(a, completion('done', [event('e')])), 'written')
  t.equal(await store.release(b), 'written')
  t.equal(await store.abandon(c, 'deadline', 1), 'written')
  t.equal(await store.resolve(c.id, c.fence, { as: 'not-executed', operationRef: null }, act), 'written')
  t.equal(await store.abandon(d, 'deadline', 1), 'written')
  t.equal(await store.resolve(d.id, d.fence, { as: 'completed', ...completion('it was') }, act), 'written')
  t.equal(await store.evict(a.id, act), 'evicted')
  t.equal(await store.forget(d.id, act), 'forgotten')
  t.equal((await store.audit(10)).length, 4)
  const [executed, ended, given] = ['executed', 'ended', 'given'].map((name) => request(name, '1'))
  if (executed === undefined || ended === undefined || given === undefined) throw new Error('three wishes')
  for (const wish of [executed, ended, given]) t.match(await store.accept(wish, work(wish)), { kind: 'accepted', fresh: true })
  t.equal(await store.release(await begun(store, executed, '2')), 'written')
  t.equal(await store.complete(await begun(store, executed, '3'), completion('done')), 'written')
  await store.abandon(await begun(store, ended, '2'), 'deadline', 1)
  t.equal(await store.resolve(ended.id, 2, { as: 'not-executed', operationRef: null }, null), 'written')
  await store.abandon(await begun(store, ended, '3'), 'deadline', 1)
  t.equal(await store.resolve(ended.id, 4, { as: 'completed', ...completion('it was') }, null), 'written')
  await giveUp(outbox)
  t.equal(await outbox.discard(ALL, 10, act), 2, 'the one that was executed before its relay said so is among them')
  t.equal((await store.find({ state: 'accepted' }, 10)).length, 0)
  const lead = await led(outbox)
  const { row } = await takenOne(outbox, 'e')
  t.equal(await outbox.settle(lead, [{ kind: 'retry', row, cause: 'status 500', afterMs: 0, counted: true }]), 'written')
  t.equal(await outbox.settle(lead, [{ kind: 'dead', row, cause: 'status 422', blocks: true }]), 'written')
  t.strictSame(await outbox.redrive(ALL, 10, act), { redriven: 1, unbuilt: 0 })
  t.equal(await outbox.settle(lead, [{ kind: 'delivered', row }]), 'written')
  t.equal(await outbox.discard(ALL, 10, act), 0)
  const reading = await led(outbox, 'reader', 'source:orders')
  t.equal(await outbox.bring(reading, 'orders', { events: [event('row')], from: null, to: 'one' }), 'written')
  t.equal(await outbox.bring(reading, 'orders', { events: [], from: 'one', to: 'two' }), 'written')
  t.equal(await outbox.position('orders'), 'two')
  const note = look('k', 'one')
  t.strictSame(await shadow.look([note]), [{ kind: 'new' }])
  await shadow.end([{ id: note.id, holder: note.holder, as: 'released' }])
  t.equal(await shadow.sweepShadow(10), 1)
  await outbox.resign(lead)
  t.equal((await outbox.audit(10)).length, 3)
  for (const task of [outbox.census([]), outbox.deadLetters(ALL, 1, null), outbox.arrivals('payments', 1, 1)]) await task
  for (const task of [store.reap(10), store.sweep(10), store.census(), store.find({ state: 'uncertain' }, 1)]) t.ok(await task)
})

test('an account that lacks one of them is refused at the start, and told which', async (t) => {
  const url = await postgresUrl()
  await migrate(storeOptions(url))
  const admin = await connected(t, url)
  const role = `poor_${process.pid}_${Date.now()}`
  await admin.query(`create role ${role} login`)
  await admin.query(`grant usage on schema onceward to ${role}`)
  await admin.query(`grant select, insert, update on all tables in schema onceward to ${role}`)
  const own = new URL(url)
  own.username = role
  await t.rejects(openPostgresStore(storeOptions(own.href, { migrate: 'by_hand' })), /lacks privileges in the schema onceward: key_record delete, outbox_event delete, shadow_key delete, unsettled delete/)
})
