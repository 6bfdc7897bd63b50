import { test } from 'tap'
import { SinkBreaker } from '../../src/relay/sink-breaker.ts'
import { event, relayScene } from '../support/relay-scene.ts'
import { DELIVERED, POISONED, scriptedSink, SINK_IS_AWAY, TIMED_OUT } from '../support/scripted-sink.ts'

function breaker() {
  const changes: boolean[] = []
  return { changes, breaker: new SinkBreaker(() => 0.5, (open) => changes.push(open)) }
}

test('what the sink says of itself opens it at once, and costs nobody an attempt', async (t) => {
  const { breaker: one, changes } = breaker()
  t.equal(one.note('a', SINK_IS_AWAY, 0), 'sink')
  t.same(changes, [true])
  t.equal(one.waitMs(0), 500)
  t.equal(one.admit(499), 0)
  t.equal(one.admit(500), 1, 'one probe')
  t.equal(one.admit(500), 0, 'and no second one')
  one.note('a', SINK_IS_AWAY, 600)
  t.equal(one.waitMs(600), 1000, 'twice as long')
  t.equal(one.admit(1600), 1)
  one.note('a', DELIVERED, 1700)
  t.same(changes, [true, false])
  t.equal(one.admit(1700), Infinity)
})

test('a Retry-After of the sink is observed before the pause', async (t) => {
  const { breaker: one } = breaker()
  one.note('a', { kind: 'retryable', cause: '429', blame: 'sink', notBeforeMs: 60_000 }, 0)
  t.equal(one.waitMs(0), 60_500)
  one.note('b', { kind: 'retryable', cause: '429', blame: 'sink', notBeforeMs: 90_000 }, 0)
  t.equal(one.waitMs(0), 90_000, 'the longest that was asked for')
})

test('pauses double up to half a minute', async (t) => {
  const { breaker: one } = breaker()
  const pauses: number[] = []
  let now = 0
  one.note('a', SINK_IS_AWAY, now)
  for (let i = 0; i < 8; i += 1) {
    pauses.push(one.waitMs(now))
    now += one.waitMs(now)
    one.admit(now)
    one.note(`lane-${i}`, SINK_IS_AWAY, now)
  }
  t.same(pauses, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
})

test('unexplained failures open it when they come from three lanes in a row', async (t) => {
  const { breaker: one } = breaker()
  t.same(['a', 'b', 'a', 'a'].map((lane) => one.note(lane, TIMED_OUT, 0)), ['unsure', 'unsure', 'unsure', 'unsure'])
  one.note('z', DELIVERED, 0)
  t.same(['a', 'b'].map((lane) => one.note(lane, TIMED_OUT, 0)), ['unsure', 'unsure'], 'a success lies in between')
  t.ok(one.closed)
  t.equal(one.note('c', TIMED_OUT, 0), 'sink')
  t.notOk(one.closed)
})

test('what the receiver blames on events never opens it, and closes it', async (t) => {
  const { breaker: one } = breaker()
  for (const lane of 'abcdefgh') t.equal(one.note(lane, POISONED, 0), 'event')
  t.ok(one.closed)
  one.note('a', SINK_IS_AWAY, 0)
  one.admit(one.waitMs(0))
  one.note('b', POISONED, 500)
  t.ok(one.closed, 'who judges is there')
})

test('a probe of the lane that was probed before counts: nobody else can be asked', async (t) => {
  const { breaker: one } = breaker()
  one.note('a', SINK_IS_AWAY, 0)
  t.same(['a', 'b', 'a', 'a'].map((lane, i) => {
    one.admit(i * 100_000 + 50_000)
    return one.note(lane, TIMED_OUT, i * 100_000 + 50_000)
  }), ['sink', 'sink', 'sink', 'event'])
})

test('failures that led to the pause cost no attempt, as far as they are not written yet', async (t) => {
  const { store, relay } = relayScene()
  for (const lane of 'abcde') store.put(event(lane))
  const { relay: one, meter } = relay(scriptedSink(() => TIMED_OUT))
  await one.runOnce()
  t.match(meter.ends, { deferred: 5, retried: 0 })
})

test('one poisoned lane among healthy ones never stops the sink', async (t) => {
  const { store, relay, clock } = relayScene()
  const sink = scriptedSink(({ lane }) => (lane === 'p' ? TIMED_OUT : DELIVERED))
  const { relay: one, meter } = relay(sink, { attempts: 5, baseMs: 200, capMs: 1000 })
  store.put(event('p'))
  one.start()
  await clock.advance(10)
  for (let i = 0; i < 100; i += 1) {
    store.put(event(`lane-${i % 7}`))
    await clock.advance(100)
  }
  await clock.advance(3000)
  t.match(meter.ends, { delivered: 100, dead: 1, retried: 4 })
  t.notOk(meter.pauses.includes('resting'))
  await one.stop()
})

test('a probe that could not be made says nothing: the next event may ask', async (t) => {
  const { breaker: one, changes } = breaker()
  one.note('a', SINK_IS_AWAY, 0)
  t.equal(one.admit(500), 1)
  one.note('b', { kind: 'postponed', cause: 'busy', afterMs: 1000 }, 600)
  t.equal(one.waitMs(600), 0)
  t.equal(one.admit(600), 1, 'another probe')
  one.note('c', DELIVERED, 700)
  t.same(changes, [true, false])
})
