import type { Test } from 'tap'
import { START_MS } from '../situation.ts'
import { ALL, buried, dead, delivered, event, EVERYTHING, idsOf, led, retry, SINK, taken, takenOne, type OutboxHarness } from './situation.ts'

/** Heads of lanes, in the order in which they may be delivered. */
export function takingContract(suite: Test, harness: OutboxHarness): void {
  suite.test('an event is taken as it was committed', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    const payload = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await commit(event('a1', { lane: 'customer "7", \\ {ü} \u{1F680}', type: 'charge.created', payload }), event('b1', { sink: 'other' }))
    clock.advance(1500)
    const { events, next, dueInMs } = await outbox.take(EVERYTHING)
    const [only] = events
    t.match(only, { id: 'a1', lane: 'customer "7", \\ {ü} \u{1F680}', type: 'charge.created', committedAt: START_MS, attempts: 0, firstFailedMs: null })
    t.equal(Buffer.from(only?.payload ?? []).toString('hex'), payload.toString('hex'))
    t.ok(Number.isSafeInteger(only?.row))
    t.equal(events.length, 1, 'none of another sink')
    t.strictSame({ next, dueInMs }, { next: null, dueInMs: null })
    t.strictSame(await taken(outbox), ['a1'], 'taking changes nothing')
  })

  suite.test('an event with odd texts commits, and is delivered like any other', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1', { lane: 'nul \0', type: 'half \ud83d' }), event('a2', { lane: 'half \udc00', flaw: 'the \0 and \ud83d' }), event('b1'))
    const { events } = await outbox.take(EVERYTHING)
    t.strictSame(events.map(({ id, lane, type }) => [id, lane, type]), [['b1', 'b', 'charge.created'], ['a1', 'nul \uFFFD', 'half \uFFFD']])
    t.match(await outbox.deadLetters(ALL, 10, null), [{ id: 'a2', lane: 'half \uFFFD', cause: 'the \uFFFD and \uFFFD' }])
    t.equal(await outbox.settle(lead, events.map(delivered)), 'written')
    t.strictSame(await taken(outbox), [])
  })

  suite.test('events of a lane stand together in the order of their commits, as many as are wanted of each', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    await commit(event('a1'), event('b1'))
    await commit(event('a2'))
    await commit(event('b2'), event('a3'), event('c1'))
    t.strictSame(await taken(outbox), ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'])
    t.strictSame(await taken(outbox, { perLane: 2 }), ['a1', 'a2', 'b1', 'b2', 'c1'])
    t.strictSame(await taken(outbox, { perLane: 1 }), ['a1', 'b1', 'c1'])
  })

  suite.test('going on from `next` sees every lane once, and ends', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lanes = ['', ' ', '"', '\\', 'A', 'B', 'Z', '_', 'a', 'a ', 'aa', 'ab', 'b', '{}', '\u00e9', 'e\u0301', 'ﬀ', '\u{10000}', '\uE000', 'NULL', 'null', '%', '漢']
    await commit(...lanes.map((lane, n) => event(`e${n}`, { lane })))
    for (const size of [1, 2, 5, 100]) {
      const seen: string[] = []
      let after: string | null = null
      for (let calls = 0; ; calls += 1) {
        const { events, next } = await outbox.take({ ...EVERYTHING, lanes: size, after })
        t.ok(events.length <= size)
        seen.push(...events.map(({ lane }) => lane))
        after = next
        if (next === null || calls > lanes.length) break
      }
      t.strictSame(seen.toSorted(), lanes.toSorted(), `${size} lanes at a time`)
    }
  })

  suite.test('lanes that are being delivered are passed over', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    await commit(event('a1'), event('b1'), event('c1'), event('b2'), event('d1'))
    t.strictSame(await taken(outbox, { busy: ['b', 'nobody', 'd'] }), ['a1', 'c1'])
    t.strictSame(await taken(outbox, { busy: ['a'], lanes: 1 }), ['b1', 'b2'], 'and count as none of those that are wanted')
    t.strictSame(await taken(outbox, { busy: ['"quo\\ted"', '{a}', ''] }), ['a1', 'b1', 'b2', 'c1', 'd1'])
  })

  suite.test('many resting and busy lanes in front hide nobody behind them', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(...Array.from({ length: 60 }, (_, n) => event(`e${n}`, { lane: `lane-${String(n).padStart(2, '0')}` })))
    const { events } = await outbox.take(EVERYTHING)
    await outbox.settle(lead, events.slice(0, 50).map((waiting) => retry(waiting, 5000)))
    const seen: string[] = []
    let dueInMs: number | null = null
    let after: string | null = null
    do {
      const part = await outbox.take({ ...EVERYTHING, after, lanes: 1, busy: ['lane-55'] })
      seen.push(...idsOf(part))
      dueInMs ??= part.dueInMs
      after = part.next
    } while (after !== null)
    t.strictSame(seen, ['e50', 'e51', 'e52', 'e53', 'e54', 'e56', 'e57', 'e58', 'e59'])
    t.equal(dueInMs, 5000)
  })

  suite.test('payloads are counted over all lanes, and the first event comes whatever its size', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const sized = (id: string, bytes: number) => event(id, { payload: Buffer.alloc(bytes, 'x') })
    await commit(sized('a1', 400), sized('a2', 400), sized('b1', 400), sized('c1', 0), sized('d1', 5000), sized('d2', 1))
    t.strictSame(await taken(outbox, { bytes: 1200 }), ['a1', 'a2', 'b1', 'c1'])
    const part = await outbox.take({ ...EVERYTHING, bytes: 1199 })
    t.strictSame(idsOf(part), ['a1', 'a2'])
    t.strictSame(await taken(outbox, { bytes: 1199, after: part.next }), ['b1', 'c1'], 'what did not fit comes next')
    t.strictSame(await taken(outbox, { bytes: 1 }), ['a1'])
    t.strictSame(await taken(outbox, { bytes: 1, after: 'c' }), ['d1'])
    const within = await outbox.take({ ...EVERYTHING, bytes: 500 })
    t.strictSame(idsOf(within), ['a1'])
    t.strictSame(await taken(outbox, { bytes: 500, after: within.next }), ['b1', 'c1'], 'a lane that was begun is under way')
  })

  suite.test('a lane whose head rests is passed over until it is due, and others go on', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'), event('a2'), event('b1'), event('c1'))
    t.equal(await outbox.settle(lead, [retry(await takenOne(outbox, 'a1'), 5000), retry(await takenOne(outbox, 'c1'), 3000)]), 'written')
    const resting = await outbox.take(EVERYTHING)
    t.strictSame({ ids: idsOf(resting), dueInMs: resting.dueInMs }, { ids: ['b1'], dueInMs: 3000 })
    t.equal((await outbox.take({ ...EVERYTHING, busy: ['c'] })).dueInMs, 5000, 'a busy lane is not waited for')
    clock.advance(2999)
    t.equal((await outbox.take(EVERYTHING)).dueInMs, 1)
    clock.advance(1)
    t.strictSame(await taken(outbox), ['b1', 'c1'])
    clock.advance(2000)
    t.strictSame(await taken(outbox), ['a1', 'a2', 'b1', 'c1'])
    t.match(await takenOne(outbox, 'a1'), { attempts: 1, firstFailedMs: 5000 })
  })

  suite.test('a lane is taken up to the event that rests, wherever it stands', async (t) => {
    const { outbox, clock, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'), event('a2'), event('a3'))
    await outbox.settle(lead, [retry(await takenOne(outbox, 'a2'), 1000)])
    t.strictSame(await taken(outbox), ['a1'])
    clock.advance(1000)
    t.strictSame(await taken(outbox), ['a1', 'a2', 'a3'])
  })

  suite.test('a dead letter that blocks holds its lane and no other; one that does not is skipped', async (t) => {
    const open = await harness.open()
    const { outbox, commit, close } = open
    t.teardown(close)
    const lead = await led(outbox)
    await buried(open, lead, event('a1'), true)
    await buried(open, lead, event('b1'), false)
    await commit(event('a2'), event('b2'), event('c1'))
    t.strictSame(await taken(outbox), ['b2', 'c1'])
    t.equal((await outbox.take({ ...EVERYTHING, after: 'a' })).next, null)
  })

  suite.test('a blocking dead letter holds events of its lane that were committed before it, too', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    await commit(event('a1'), event('a2'), event('a3'))
    await outbox.settle(lead, [dead(await takenOne(outbox, 'a2'), true)])
    t.strictSame(await taken(outbox), [])
  })

  suite.test('nothing waits: nothing is taken, and there is no lane to go on with, and the store says what time it is', async (t) => {
    const { outbox, commit, clock, close } = await harness.open()
    t.teardown(close)
    t.strictSame(await outbox.take(EVERYTHING), { events: [], at: clock.wallMs(), next: null, dueInMs: null })
    clock.advance(1234)
    await commit(event('a1', { sink: 'other' }))
    t.strictSame(await outbox.take({ ...EVERYTHING, after: 'a' }), { events: [], at: clock.wallMs(), next: null, dueInMs: null })
  })

  suite.test('what is taken, delivered and settled a lane at a time leaves in order and ends', async (t) => {
    const { outbox, commit, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox)
    const lanes = ['a', 'b', 'c', 'd', 'e']
    for (let n = 1; n <= 6; n += 1) await commit(...lanes.map((lane) => event(`${lane}${n}`)))
    const arrived: string[] = []
    for (;;) {
      const { events } = await outbox.take({ sink: SINK, after: null, lanes: 2, perLane: 2, bytes: 1000, busy: [] })
      if (events.length === 0) break
      arrived.push(...events.map(({ id }) => id))
      t.equal(await outbox.settle(lead, events.map(delivered)), 'written')
    }
    t.equal(arrived.length, 30)
    for (const lane of lanes) t.strictSame(arrived.filter((id) => id.startsWith(lane)), [1, 2, 3, 4, 5, 6].map((n) => `${lane}${n}`))
  })
}
