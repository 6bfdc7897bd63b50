import type { Test } from 'tap'
import { START_MS } from '../situation.ts'
import { ALL, buried, dead, delivered, event, EVERYTHING, led, retry, taken, takenOne, type OutboxHarness } from './situation.ts'

/** How deliveries end. */
export function settlingContract(suite: Test, harness: OutboxHarness): void {
  suite.test('what was delivered is gone; a repetition changes nothing', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'), event('a2'), event('b1'))
    const [a1, b1] = [await takenOne(outbox, 'a1'), await takenOne(outbox, 'b1')]
    t.equal(await outbox.settle(lead, [delivered(a1), delivered(b1)]), 'written')
    t.equal(await outbox.settle(lead, [delivered(a1), delivered(b1)]), 'written')
    t.strictSame(await taken(outbox), ['a2'])
    t.equal(await outbox.settle(lead, []), 'written')
    t.equal(await outbox.settle(lead, [delivered({ row: 9_000_000 }), dead({ row: 9_000_001 }, true), retry({ row: 9_000_002 }, 1)]), 'written', 'rows that nobody knows')
    t.strictSame(await taken(outbox), ['a2'])
  })

  suite.test('all ends of a settle are written, whatever their kinds', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'), event('b1'), event('c1'), event('d1'))
    const { events } = await outbox.take(EVERYTHING)
    const [a1, b1, c1] = events
    if (a1 === undefined || b1 === undefined || c1 === undefined) throw new Error('four events')
    t.equal(await outbox.settle(lead, [dead(c1, true), delivered(a1), retry(b1, 100)]), 'written')
    t.strictSame(await taken(outbox), ['d1'])
    t.match(await outbox.deadLetters(ALL, 10, null), [{ id: 'c1' }])
    t.equal((await outbox.take(EVERYTHING)).dueInMs, 100)
  })

  suite.test('many settles at once all have their answer, those of a fenced leader among them', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(...Array.from({ length: 40 }, (_, n) => event(`e${n}`, { lane: `lane-${n}` })))
    const { events } = await outbox.take(EVERYTHING)
    const outcomes = await Promise.all(events.map((waiting, n) => outbox.settle(n % 4 === 3 ? { ...lead, fence: lead.fence + 1 } : lead, [n % 4 === 1 ? retry(waiting, 10) : delivered(waiting)])))
    t.strictSame(outcomes, events.map((_, n) => (n % 4 === 3 ? 'fenced' : 'written')))
    const rest = await outbox.take(EVERYTHING)
    t.equal(rest.events.length, 10, 'those of the fenced one')
    t.equal(rest.dueInMs, 10)
  })

  suite.test('failures that count and failures that do not, and how long ago the first one was', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'))
    await outbox.settle(lead, [retry(await takenOne(outbox, 'a1'), 0, { counted: false })])
    t.match(await takenOne(outbox, 'a1'), { attempts: 0, firstFailedMs: 0 })
    clock.advance(700)
    await outbox.settle(lead, [retry(await takenOne(outbox, 'a1'), 0)])
    clock.advance(300)
    t.match(await takenOne(outbox, 'a1'), { attempts: 1, firstFailedMs: 1000 })
    await outbox.settle(lead, [retry(await takenOne(outbox, 'a1'), 0)])
    t.match(await takenOne(outbox, 'a1'), { attempts: 2, firstFailedMs: 1000 })
  })

  suite.test('a failure that is told twice, as after an unknown result, counts once', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'))
    const a1 = await takenOne(outbox, 'a1')
    for (let n = 0; n < 3; n += 1) t.equal(await outbox.settle(lead, [retry(a1, 0)]), 'written')
    const again = await takenOne(outbox, 'a1')
    t.equal(again.attempts, 1)
    await outbox.settle(lead, [dead(again, true)])
    await outbox.settle(lead, [dead(again, true)])
    const [letter] = await outbox.deadLetters(ALL, 10, null)
    t.match(letter, { attempts: 2, history: [{ cause: 'status 500' }, { cause: 'status 422' }] })
    t.equal(letter?.history.length, 2)
  })

  suite.test('a dead letter keeps its envelope, its cause and its last ten failures', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1', { payload: Buffer.from([0, 255, 10]) }))
    for (let n = 0; n < 12; n += 1) {
      await outbox.settle(lead, [retry(await takenOne(outbox, 'a1'), 1000, { cause: `failure ${n} "ü" \\` })])
      clock.advance(1000)
    }
    const last = await takenOne(outbox, 'a1')
    t.equal(last.attempts, 12)
    t.equal(await outbox.settle(lead, [dead(last, true, 'gave up: "é\n\\')]), 'written')
    const [letter] = await outbox.deadLetters(ALL, 10, null)
    const at = START_MS + 12_000
    t.match(letter, {
      row: last.row, id: 'a1', sink: 'payments', lane: 'a', type: 'charge.created', committedAt: START_MS, deadAt: at, attempts: 13,
      cause: 'gave up: "é\n\\', unbuilt: false, blocks: true,
    })
    t.equal(Buffer.from(letter?.payload ?? []).toString('hex'), '00ff0a')
    const failures = Array.from({ length: 9 }, (_, n) => ({ at: START_MS + (n + 3) * 1000, cause: `failure ${n + 3} "ü" \\` }))
    t.strictSame(letter?.history.map((failure) => ({ ...failure })), [...failures, { at, cause: 'gave up: "é\n\\' }])
  })

  suite.test('a dead letter is not waiting: what is settled of it later is passed over', async (t) => {
    const open = await harness.open()
    const { outbox, close } = open
    t.teardown(close)
    const lead = await led(outbox)
    await buried(open, lead, event('a1'), true)
    const [letter] = await outbox.deadLetters(ALL, 10, null)
    if (letter === undefined) throw new Error('one dead letter')
    t.equal(await outbox.settle(lead, [delivered(letter)]), 'written')
    t.equal(await outbox.settle(lead, [retry(letter, 0)]), 'written')
    t.equal(await outbox.settle(lead, [dead(letter, false, 'again')]), 'written')
    t.match(await outbox.deadLetters(ALL, 10, null), [{ id: 'a1', cause: 'status 422', blocks: true, attempts: 1 }])
    t.strictSame(await taken(outbox), [])
  })

  suite.test('a leader of one sink settles nothing of another', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const other = await led(outbox, 'relay-1', 'other')
    await commit(event('a1'))
    const a1 = await takenOne(outbox, 'a1')
    t.equal(await outbox.settle(other, [delivered(a1)]), 'written', 'there is no such row in that sink')
    t.equal(await outbox.settle(other, [dead(a1, true)]), 'written')
    t.strictSame(await taken(outbox), ['a1'])
  })

  suite.test('what a sink says of a failure may be any text', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'), event('b1'))
    const [a1, b1] = [await takenOne(outbox, 'a1'), await takenOne(outbox, 'b1')]
    const ends = await Promise.all([outbox.settle(lead, [dead(a1, false, 'nul \0, half \ud83d, {"json":[')]), outbox.settle(lead, [delivered(b1)])])
    t.strictSame(ends, ['written', 'written'], 'and its neighbour is none the worse for it')
    const [letter] = await outbox.deadLetters(ALL, 10, null)
    t.match(letter?.cause, /half .*\{"json":\[$/)
    t.equal(letter?.history[0]?.cause, letter?.cause)
  })
}
