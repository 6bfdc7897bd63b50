import type { Test } from 'tap'
import { ALL, event, led, LEASE_MS, taken, type OutboxHarness } from './situation.ts'

const LEASE = 'source:orders'

/** Rows of an application's own outbox table become events together with how far it was read, or not at all. */
export function sourcesContract(suite: Test, harness: OutboxHarness): void {
  suite.test('a source that nobody has read has no position; what it brings is there with the one that follows', async (t) => {
    const { outbox, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'reader', LEASE)
    t.equal(await outbox.position('orders'), null)
    t.equal(await outbox.bring(lead, 'orders', { events: [event('a1'), event('b1'), event('a2')], from: null, to: 'one' }), 'written')
    t.equal(await outbox.position('orders'), 'one')
    t.strictSame(await taken(outbox), ['a1', 'a2', 'b1'])
    t.equal(await outbox.bring(lead, 'orders', { events: [], from: 'one', to: 'two' }), 'written', 'a position may move alone')
    t.strictSame([await outbox.position('orders'), await outbox.position('others')], ['two', null])
  })

  suite.test('a repetition finds that it was written, also when its events have long been delivered', async (t) => {
    const { outbox, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'reader', LEASE)
    const brought = { events: [event('a1')], from: null, to: 'one' }
    t.equal(await outbox.bring(lead, 'orders', brought), 'written')
    const relay = await led(outbox)
    const { events: [a1] } = await outbox.take({ sink: 'payments', after: null, lanes: 10, perLane: 10, bytes: 1000, busy: [] })
    await outbox.settle(relay, [{ kind: 'delivered', row: a1?.row ?? 0 }])
    t.equal(await outbox.bring(lead, 'orders', brought), 'written')
    t.strictSame(await taken(outbox), [], 'and no second time')
  })

  suite.test('who has read from another position, or leads no more, brings nothing', async (t) => {
    const { outbox, clock, close } = await harness.open()
    t.teardown(close)
    const old = await led(outbox, 'reader', LEASE)
    t.equal(await outbox.bring(old, 'orders', { events: [], from: 'never', to: 'one' }), 'fenced')
    t.equal(await outbox.bring(old, 'orders', { events: [], from: null, to: 'one' }), 'written')
    t.equal(await outbox.bring(old, 'orders', { events: [event('x1')], from: null, to: 'two' }), 'fenced', 'it has moved')
    clock.advance(LEASE_MS)
    const next = await led(outbox, 'other', LEASE)
    t.equal(await outbox.bring(old, 'orders', { events: [event('x2')], from: 'one', to: 'two' }), 'fenced')
    t.equal(await outbox.bring({ ...next, holder: 'reader' }, 'orders', { events: [event('x3')], from: 'one', to: 'two' }), 'fenced')
    t.strictSame([await outbox.position('orders'), await taken(outbox)], ['one', []])
    t.equal(await outbox.bring(next, 'orders', { events: [event('y1')], from: 'one', to: 'two' }), 'written')
    t.strictSame(await taken(outbox), ['y1'])
  })

  suite.test('of two rows with one id there is one event while it waits, and its neighbours are not kept from coming', async (t) => {
    const { outbox, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'reader', LEASE)
    t.equal(await outbox.bring(lead, 'orders', { events: [event('a1'), event('b1')], from: null, to: 'one' }), 'written')
    t.equal(await outbox.bring(lead, 'orders', { events: [event('a1', { payload: Buffer.from('other') }), event('c1'), event('c1')], from: 'one', to: 'two' }), 'written')
    t.strictSame(await taken(outbox), ['a1', 'b1', 'c1'])
  })

  suite.test('a row that can be no event is a dead letter from the beginning', async (t) => {
    const { outbox, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'reader', LEASE)
    await outbox.bring(lead, 'orders', { events: [event('a1', { flaw: 'lane: it is null' }), event('a2')], from: null, to: 'one' })
    t.strictSame(await taken(outbox), ['a2'])
    t.match(await outbox.deadLetters(ALL, 10, null), [{ id: 'a1', cause: 'lane: it is null', unbuilt: true, blocks: false }])
  })

  suite.test('large payloads and hundreds of rows come in one piece', async (t) => {
    const { outbox, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'reader', LEASE)
    const events = Array.from({ length: 300 }, (_, i) => event(`l${String(i).padStart(3, '0')}`, { lane: `lane-${i % 7}`, payload: Buffer.alloc(5000, i) }))
    t.equal(await outbox.bring(lead, 'orders', { events, from: null, to: 'one' }), 'written')
    const { events: found } = await outbox.take({ sink: 'payments', after: null, lanes: 10, perLane: 100, bytes: 10_000_000, busy: [] })
    t.equal(found.length, 300)
    for (const { id, payload } of found) t.ok(payload.length === 5000 && payload.every((byte) => byte === Number(id.slice(1)) % 256), id)
    for (let lane = 0; lane < 7; lane += 1) {
      const ids = found.filter((one) => one.lane === `lane-${lane}`).map(({ id }) => id)
      t.strictSame(ids, ids.toSorted(), 'in their order')
    }
  })
}
