import type { Test } from 'tap'
import { ACT, START_MS } from '../situation.ts'
import { ALL, buried, event, led, retry, SINK, taken, takenOne, type OpenOutbox, type OutboxHarness } from './situation.ts'

/** What operators do with dead letters, and what is written down of it. */
export function deadLettersContract(suite: Test, harness: OutboxHarness): void {
  /** Three of the sink, one of another lane and type among them, and one of another sink. */
  async function graveyard(open: OpenOutbox): Promise<void> {
    const lead = await led(open.outbox)
    await buried(open, lead, event('a1'), false)
    await buried(open, lead, event('b1', { type: 'charge.refunded' }), false)
    await buried(open, lead, event('a2'), false)
    await open.commit(event('x1', { sink: 'other', flaw: 'no lane' }))
  }

  const ids = async ({ outbox }: OpenOutbox, filter = ALL, limit = 10, after: number | null = null): Promise<string[]> => (
    (await outbox.deadLetters(filter, limit, after)).map(({ id }) => id)
  )

  suite.test('dead letters are listed oldest first, page by page, and by every filter', async (t) => {
    const open = await harness.open()
    t.teardown(open.close)
    await graveyard(open)
    t.strictSame(await ids(open), ['a1', 'b1', 'a2', 'x1'])
    const [, second] = await open.outbox.deadLetters(ALL, 2, null)
    t.strictSame(await ids(open, ALL, 1, second?.row ?? 0), ['a2'])
    t.strictSame(await ids(open, { ...ALL, sink: SINK }), ['a1', 'b1', 'a2'])
    t.strictSame(await ids(open, { ...ALL, lane: 'a' }), ['a1', 'a2'])
    t.strictSame(await ids(open, { ...ALL, type: 'charge.refunded' }), ['b1'])
    t.strictSame(await ids(open, { ...ALL, id: 'a2' }), ['a2'])
    t.strictSame(await ids(open, { id: 'a2', sink: SINK, lane: 'b', type: null }), [])
    t.strictSame(await ids(open, { ...ALL, sink: "o'ther" }), [])
  })

  suite.test('a redriven event goes first in its lane, with all its attempts ahead of it and its history', async (t) => {
    const open = await harness.open()
    const { outbox, clock, commit, close } = open
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'))
    await outbox.settle(lead, [retry(await takenOne(outbox, 'a1'), 0, { cause: 'first' })])
    await outbox.settle(lead, [{ kind: 'dead', row: (await takenOne(outbox, 'a1')).row, cause: 'second', blocks: true }])
    await commit(event('a2'))
    t.strictSame(await taken(outbox), [], 'the lane is blocked')
    clock.advance(3000)
    t.strictSame(await outbox.redrive({ ...ALL, id: 'a1' }, 10, ACT), { redriven: 1, unbuilt: 0 })
    t.strictSame(await taken(outbox), ['a1', 'a2'])
    t.strictSame(await ids(open), [])
    t.match(await takenOne(outbox, 'a1'), { attempts: 0, committedAt: START_MS, firstFailedMs: 3000 })
    await outbox.settle(lead, [{ kind: 'dead', row: (await takenOne(outbox, 'a1')).row, cause: 'third', blocks: true }])
    const [letter] = await outbox.deadLetters(ALL, 10, null)
    t.equal(letter?.attempts, 1)
    t.strictSame(letter?.history.map(({ cause }) => cause), ['first', 'second', 'third'])
  })

  suite.test('a redrive takes the oldest, as many as were asked for, and leaves what could never be built', async (t) => {
    const open = await harness.open()
    const { outbox, commit, close } = open
    t.teardown(close)
    await commit(event('c1', { flaw: 'no amount' }), event('c2', { flaw: 'no amount' }))
    await graveyard(open)
    t.strictSame(await outbox.redrive({ ...ALL, sink: SINK }, 2, ACT), { redriven: 2, unbuilt: 2 })
    t.strictSame(await taken(outbox), ['a1', 'b1'])
    t.strictSame(await outbox.redrive({ ...ALL, sink: SINK }, 10, ACT), { redriven: 1, unbuilt: 2 })
    t.strictSame(await outbox.redrive({ ...ALL, sink: SINK }, 10, ACT), { redriven: 0, unbuilt: 2 })
    t.strictSame(await ids(open), ['c1', 'c2', 'x1'])
    t.strictSame(await outbox.redrive({ ...ALL, id: 'nobody' }, 10, ACT), { redriven: 0, unbuilt: 0 })
  })

  suite.test('what is discarded is gone, and frees its lane', async (t) => {
    const open = await harness.open()
    const { outbox, commit, close } = open
    t.teardown(close)
    const lead = await led(outbox)
    await buried(open, lead, event('a1'), true)
    await commit(event('a2'), event('b1', { flaw: 'no amount' }))
    t.equal(await outbox.discard({ ...ALL, lane: 'a' }, 10, ACT), 1)
    t.strictSame(await taken(outbox), ['a2'], 'nothing that waits is discarded')
    t.equal(await outbox.discard(ALL, 10, ACT), 1, 'what could never be built can be')
    t.equal(await outbox.discard(ALL, 10, ACT), 0)
    t.strictSame(await ids(open), [])
    t.match(await outbox.census([SINK]), [{ dead: 0 }])
  })

  suite.test('a discard takes the oldest, as many as were asked for', async (t) => {
    const open = await harness.open()
    t.teardown(open.close)
    await graveyard(open)
    t.equal(await open.outbox.discard(ALL, 3, ACT), 3)
    t.strictSame(await ids(open), ['x1'])
  })

  suite.test('every act is written down, newest first', async (t) => {
    const open = await harness.open()
    const { outbox, clock, close } = open
    t.teardown(close)
    await graveyard(open)
    clock.advance(10)
    await outbox.redrive({ ...ALL, id: 'a1' }, 10, { by: 'ada', reason: 'fixed "there"\nsecond line' })
    clock.advance(10)
    await outbox.discard({ ...ALL, sink: 'other' }, 10, { by: 'grace', reason: 'é' })
    await outbox.redrive({ ...ALL, id: 'a1' }, 10, ACT)
    const trail = [
      { at: START_MS + 20, verb: 'discard', event: 'x1', sink: 'other', lane: 'x', type: 'charge.created', cause: 'no lane', by: 'grace', reason: 'é' },
      { at: START_MS + 10, verb: 'redrive', event: 'a1', sink: SINK, lane: 'a', type: 'charge.created', cause: 'status 422', by: 'ada', reason: 'fixed "there"\nsecond line' },
    ]
    t.strictSame((await outbox.audit(10)).map((act) => ({ ...act })), trail, 'what changed nothing is not in it')
    t.strictSame((await outbox.audit(1)).map((act) => ({ ...act })), trail.slice(0, 1))
    await outbox.discard({ ...ALL, sink: SINK }, 10, ACT)
    t.strictSame((await outbox.audit(2)).map(({ event: id }) => id).toSorted(), ['a2', 'b1'], 'a line for each event')
  })
}
