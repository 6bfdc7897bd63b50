import { test } from 'tap'
import type { Delivery } from '../../src/core/delivery.ts'
import { DeliveredArrivals } from '../../src/relay/arrivals.ts'
import { Pace } from '../../src/relay/pace.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { event, relayScene } from '../support/relay-scene.ts'
import { DELIVERED, scriptedSink, SINK_IS_AWAY } from '../support/scripted-sink.ts'

const SETTINGS = { aboveMs: 10_000, rate: 500, rampMs: 10_000 }

function pace(settings = SETTINGS) {
  const rates: (number | null)[] = []
  return { rates, pace: new Pace(settings, (rate) => rates.push(rate)) }
}

test('nothing is held back until an old backlog is seen, and stragglers are none', async (t) => {
  const { pace: free } = pace()
  t.equal(free.room(0), Infinity)
  free.saw({ old: 9 }, 0)
  t.notOk(free.catchingUp)
  free.saw({ old: 10 }, 0)
  t.ok(free.catchingUp)
})

test('a catch-up begins at a tenth of its rate and is at the whole of it after the ramp', async (t) => {
  const { pace: slow } = pace()
  slow.saw({ old: 100 }, 1000)
  t.same([1000, 6000, 11_000, 60_000].map((at) => slow.rate(at)), [50, 275, 500, 500])
  slow.arriving(1000)
  t.equal(slow.rate(60_000), 1500, 'what arrives needs more')
  slow.rampAgain(70_000)
  t.equal(slow.rate(70_000), 150)
})

test('however it is asked, no second has more than 1.1 times the rate', async (t) => {
  for (const everyMs of [1, 3, 40, 99, 250]) {
    const { pace: slow } = pace({ ...SETTINGS, rampMs: 0 })
    slow.saw({ old: 100 }, 0)
    const sent: number[] = []
    for (let now = 0; now < 5000; now += everyMs) {
      const room = slow.room(now)
      slow.spend(room)
      for (let i = 0; i < room; i += 1) sent.push(now)
    }
    const most = Math.max(...sent.map((from) => sent.filter((at) => at >= from && at < from + 1000).length))
    t.ok(most <= 550, `${most} within a second, asked every ${everyMs} ms`)
    if (everyMs < 50) t.ok(sent.length >= 2400, `${sent.length} in five seconds`)
  }
})

test('what was not used for some time is not saved up', async (t) => {
  const { pace: slow } = pace({ ...SETTINGS, rampMs: 0 })
  slow.saw({ old: 100 }, 0)
  t.equal(slow.room(60_000), 25, '50 ms of the rate')
})

test('what waits says how long', async (t) => {
  const { pace: slow } = pace({ ...SETTINGS, rampMs: 0 })
  slow.saw({ old: 100 }, 0)
  slow.spend(slow.room(0))
  t.equal(slow.waitMs(0), 2)
  t.equal(slow.room(2), 1)
})

test('arrivals that were delivered count by when they were committed, not by when they left', async (t) => {
  const arrived = new DeliveredArrivals(5000)
  arrived.add(1000, 10_000)
  t.equal(arrived.within(10_000), 0, 'of the backlog')
  arrived.add(9000, 10_000)
  t.equal(arrived.within(10_000), 1)
  t.equal(arrived.within(14_500), 0)
})

test('a backlog of an outage is delivered at the rate, to its end, and then nothing is held back', async (t) => {
  const { store, relay, clock } = relayScene()
  for (let i = 0; i < 3000; i += 1) store.put(event(`lane-${i % 300}`))
  await clock.advance(60_000)
  const sentAt: number[] = []
  const sink = scriptedSink(() => {
    sentAt.push(clock.monotonicMs())
    return DELIVERED
  })
  const { relay: one, meter } = relay(sink, { catchUp: { ...SETTINGS, rampMs: 1000 } })
  one.start()
  await clock.advance(10)
  let fresh = 0
  for (let i = 0; i < 400; i += 1) {
    if (meter.rate !== null) {
      store.put(event(`new-${fresh % 10}`))
      fresh += 1
    }
    await clock.advance(20)
  }
  t.equal(sentAt.length, 3000 + fresh)
  const [first = 0] = sentAt
  t.ok(sentAt.filter((at) => at < first + 100).length <= 12, 'slowly at first')
  const most = fullestSecond(sentAt)
  t.ok(most <= 550, `${most} in the fullest second`)
  t.equal(meter.rates.at(-1), null, 'it has ended')
  t.equal(meter.rate, null)
  await one.stop()
})

test('one lane with a long backlog is held back, too, and to its end', async (t) => {
  const { sentAt, one } = await oneLane(() => DELIVERED)
  t.equal(sentAt.length, 1500)
  const most = fullestSecond(sentAt)
  t.ok(most <= 550, `${most} in the fullest second`)
  await one.stop()
})

test('a lane that was slower than the pace, and then is not, is still held to it', async (t) => {
  const { sentAt, one, meter } = await oneLane((delivery, clock) => (delivery > 40 ? DELIVERED : new Promise((resolve) => { clock.after(60, () => resolve(DELIVERED)) })))
  t.equal(sentAt.length, 1500)
  const most = fullestSecond(sentAt)
  t.ok(most <= 550, `${most} in the fullest second`)
  t.equal(meter.rates.filter((rate) => rate === null).length, 1, 'it ended once: what is behind a lane in hand waits, too')
  await one.stop()
})

test('a sink that was away is caught up with slowly, without a change of leaders', async (t) => {
  const { store, relay, clock } = relayScene()
  let away = true
  const sentAt: number[] = []
  const sink = scriptedSink(() => {
    if (away) return SINK_IS_AWAY
    sentAt.push(clock.monotonicMs())
    return DELIVERED
  })
  const { relay: one } = relay(sink, { catchUp: { ...SETTINGS, rampMs: 0 } })
  one.start()
  await clock.advance(10)
  for (let i = 0; i < 2000; i += 1) store.put(event(`lane-${i % 500}`))
  await clock.advance(60_000)
  away = false
  for (let i = 0; i < 1000; i += 1) await clock.advance(40)
  t.equal(sentAt.length, 2000)
  const most = fullestSecond(sentAt)
  t.ok(most <= 550, `${most} in the fullest second`)
  await one.stop()
})

/** 1,500 events of one lane that are a minute old, and what became of them in six seconds; `answer` gets the ordinal of a delivery. */
async function oneLane(answer: (delivery: number, clock: FakeClock) => Delivery | Promise<Delivery>) {
  const { store, relay, clock } = relayScene()
  for (let i = 0; i < 1500; i += 1) store.put(event('only'))
  await clock.advance(60_000)
  const sentAt: number[] = []
  const sink = scriptedSink(() => answer(sentAt.push(clock.monotonicMs()), clock))
  const { relay: one, meter } = relay(sink, { catchUp: { ...SETTINGS, rampMs: 0 } })
  one.start()
  await clock.advance(10)
  for (let i = 0; i < 300; i += 1) await clock.advance(20)
  return { sentAt, one, meter }
}

function fullestSecond(instants: readonly number[]): number {
  return Math.max(...instants.map((from) => instants.filter((at) => at >= from && at < from + 1000).length))
}
