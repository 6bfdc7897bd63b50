import type { Test } from 'tap'
import { delivered, event, led, LEASE_MS, retry, SINK, taken, takenOne, type OutboxHarness } from './situation.ts'

/** One relay at a time leads, and a fence tells the ones apart. */
export function leadingContract(suite: Test, harness: OutboxHarness): void {
  suite.test('the first relay that asks leads; others are told for how long to follow', async (t) => {
    const { outbox, clock, close } = await harness.open()
    t.teardown(close)
    t.strictSame(await outbox.lead(SINK, 'one', LEASE_MS), { kind: 'leading', lead: { sink: SINK, holder: 'one', fence: 1 } })
    clock.advance(4000)
    t.strictSame(await outbox.lead(SINK, 'two', LEASE_MS), { kind: 'following', againMs: LEASE_MS - 4000 })
    t.strictSame(await outbox.lead('other', 'two', LEASE_MS), { kind: 'leading', lead: { sink: 'other', holder: 'two', fence: 1 } }, 'each sink has its own')
  })

  suite.test('a leader that asks again stays leader, with the same fence and a new lease', async (t) => {
    const { outbox, clock, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'one')
    clock.advance(LEASE_MS - 1)
    t.strictSame(await led(outbox, 'one'), lead)
    clock.advance(LEASE_MS - 1)
    t.strictSame(await outbox.lead(SINK, 'two', LEASE_MS), { kind: 'following', againMs: 1 })
    clock.advance(LEASE_MS)
    t.strictSame(await led(outbox, 'one'), lead, 'also when its lease has ended and nobody has taken over')
  })

  suite.test('whoever takes over after the lease has a higher fence, and what the old leader settles is fenced', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    await commit(event('a1'), event('b1'))
    const old = await led(outbox, 'one')
    const a1 = await takenOne(outbox, 'a1')
    clock.advance(LEASE_MS)
    t.equal(await outbox.settle(old, [retry(a1, 0)]), 'written', 'late, and not superseded')
    const next = await led(outbox, 'two')
    t.strictSame(next, { sink: SINK, holder: 'two', fence: 2 })
    t.equal(await outbox.settle(old, [delivered(a1)]), 'fenced')
    t.equal(await outbox.settle(old, [retry(a1, 60_000)]), 'fenced')
    t.equal(await outbox.settle({ ...next, holder: 'one' }, [delivered(a1)]), 'fenced', 'the fence of another holder')
    t.equal(await outbox.settle({ ...next, fence: 3 }, [delivered(a1)]), 'fenced')
    t.equal(await outbox.settle({ ...next, sink: 'other' }, [delivered(a1)]), 'fenced', 'a sink that nobody leads')
    t.strictSame(await taken(outbox), ['a1', 'b1'], 'nothing was changed')
    t.strictSame(await outbox.lead(SINK, 'one', LEASE_MS), { kind: 'following', againMs: LEASE_MS })
    t.equal(await outbox.settle(next, [delivered(a1)]), 'written')
    t.strictSame(await taken(outbox), ['b1'])
  })

  suite.test('who leads again after somebody else did has a higher fence than before', async (t) => {
    const { outbox, clock, close } = await harness.open()
    t.teardown(close)
    await led(outbox, 'one')
    clock.advance(LEASE_MS)
    await led(outbox, 'two')
    clock.advance(LEASE_MS)
    t.equal((await led(outbox, 'one')).fence, 3)
  })

  suite.test('after a resignation the next one leads at once, with a higher fence, and the old one is fenced', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    await commit(event('a1'))
    const old = await led(outbox, 'one')
    const a1 = await takenOne(outbox, 'a1')
    await outbox.resign(old)
    t.equal(await outbox.settle(old, [delivered(a1)]), 'fenced', 'also while nobody leads')
    t.equal((await led(outbox, 'two')).fence, 2)
    await outbox.resign(old)
    t.equal((await outbox.lead(SINK, 'three', LEASE_MS)).kind, 'following', 'a resignation of somebody who does not lead changes nothing')
    t.equal((await outbox.lead(SINK, 'one', LEASE_MS)).kind, 'following')
  })

  suite.test('who resigns and leads again is told apart from who it was before', async (t) => {
    const { outbox, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'one')
    await outbox.resign(lead)
    t.equal((await led(outbox, 'one')).fence, 2)
    t.equal(await outbox.settle(lead, []), 'fenced')
  })

  suite.test('of many that ask at once exactly one leads', async (t) => {
    const { outbox, close } = await harness.open()
    t.teardown(close)
    const asked = await Promise.all(Array.from({ length: 8 }, (_, n) => outbox.lead(SINK, `relay-${n}`, LEASE_MS)))
    t.equal(asked.filter(({ kind }) => kind === 'leading').length, 1)
    for (const leadership of asked) if (leadership.kind === 'following') t.ok(leadership.againMs > 0 && leadership.againMs <= LEASE_MS)
  })
}
