import type { Test } from 'tap'
import { START_MS } from '../situation.ts'
import { ALL, buried, dead, delivered, event, led, retry, SINK, taken, takenOne, type OutboxHarness } from './situation.ts'

/** What the gauges, the pace and a completion with a flaw see. */
export function watchingContract(suite: Test, harness: OutboxHarness): void {
  suite.test('the lag is the age of the oldest event that waits, resting ones included and dead ones not', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    t.strictSame(await outbox.census([SINK, 'idle']), [{ sink: SINK, lagMs: 0, dead: 0 }, { sink: 'idle', lagMs: 0, dead: 0 }])
    await commit(event('a1'))
    clock.advance(1000)
    await commit(event('b1'), event('x1', { sink: 'unconfigured' }))
    clock.advance(500)
    t.strictSame(await outbox.census([SINK]), [{ sink: SINK, lagMs: 1500, dead: 0 }, { sink: 'unconfigured', lagMs: 500, dead: 0 }])
    await outbox.settle(lead, [retry(await takenOne(outbox, 'a1'), 60_000)])
    t.match(await outbox.census([SINK]), [{ lagMs: 1500 }, {}])
    clock.advance(60_000)
    await outbox.settle(lead, [dead(await takenOne(outbox, 'a1'), true)])
    t.strictSame(await outbox.census(['idle', SINK]), [{ sink: 'idle', lagMs: 0, dead: 0 }, { sink: SINK, lagMs: 60_500, dead: 1 }, { sink: 'unconfigured', lagMs: 60_500, dead: 0 }])
    await outbox.settle(lead, [delivered(await takenOne(outbox, 'b1'))])
    t.match(await outbox.census([SINK]), [{ sink: SINK, lagMs: 0, dead: 1 }, {}])
  })

  suite.test('a sink that has nothing but dead letters is counted, configured or not', async (t) => {
    const open = await harness.open()
    t.teardown(open.close)
    await buried(open, await led(open.outbox), event('a1'), false)
    await buried(open, await led(open.outbox), event('a2'), true)
    t.strictSame(await open.outbox.census([]), [{ sink: SINK, lagMs: 0, dead: 2 }])
  })

  suite.test('a redriven event counts from its redrive', async (t) => {
    const open = await harness.open()
    const { outbox, clock, close } = open
    t.teardown(close)
    await buried(open, await led(outbox), event('a1'), true)
    clock.advance(100_000)
    await outbox.redrive(ALL, 10, { by: 'ada', reason: 'ticket 7' })
    clock.advance(250)
    t.strictSame(await outbox.census([SINK]), [{ sink: SINK, lagMs: 250, dead: 0 }])
    t.equal(await outbox.arrivals(SINK, 1000, 10), 1, 'and is an arrival')
    t.match(await takenOne(outbox, 'a1'), { committedAt: START_MS })
  })

  suite.test('arrivals are those of the window that still wait, up to a limit', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'), event('b1'))
    clock.advance(1000)
    await commit(event('c1'), event('d1'), event('x1', { sink: 'other' }))
    t.equal(await outbox.arrivals(SINK, 1000, 10), 2)
    t.equal(await outbox.arrivals(SINK, 1001, 10), 4)
    t.equal(await outbox.arrivals(SINK, 5000, 3), 3)
    await outbox.settle(lead, [delivered(await takenOne(outbox, 'c1')), dead(await takenOne(outbox, 'd1'), true)])
    t.equal(await outbox.arrivals(SINK, 1000, 10), 0)
    t.equal(await outbox.arrivals('nobody', 1000, 10), 0)
  })

  suite.test('an event with a flaw is a dead letter from its commit on, and blocks nobody', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    await commit(event('a1', { flaw: 'the reply has no /customer', payload: new Uint8Array(0) }), event('a2'))
    t.strictSame(await taken(outbox), ['a2'])
    t.match(await outbox.census([SINK]), [{ sink: SINK, dead: 1 }])
    const [letter] = await outbox.deadLetters(ALL, 10, null)
    t.match(letter, { id: 'a1', lane: 'a', committedAt: START_MS, deadAt: START_MS, attempts: 0, cause: 'the reply has no /customer', unbuilt: true, blocks: false })
    t.strictSame([letter?.payload.length, letter?.history.length], [0, 0])
  })
}
