import { test } from 'tap'
import type { Delivery } from '../../src/core/delivery.ts'
import type { OutboxStore } from '../../src/core/outbox-ports.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { deferred } from '../support/deferred.ts'
import { event, eventsOf, relayScene } from '../support/relay-scene.ts'
import { DELIVERED, POISONED, scriptedSink, SINK_IS_AWAY, TIMED_OUT } from '../support/scripted-sink.ts'

test('a round delivers what its lanes have, in order inside a lane, and settles it', async (t) => {
  const { store, relay } = relayScene()
  const [a, b] = [eventsOf('a', 3), eventsOf('b', 2)]
  store.put(...a, ...b)
  const sink = scriptedSink(() => DELIVERED)
  t.same(await relay(sink).relay.runOnce(), { delivered: 5, retried: 0, deferred: 0, dead: 0 })
  t.same(sink.sent.filter(({ lane }) => lane === 'a').map(({ id }) => id), a.map(({ id }) => id))
  t.same(sink.sent.map(({ lane }) => lane).slice(0, 2).toSorted(), ['a', 'b'], 'side by side')
  t.equal(store.waiting, 0)
})

test('nothing of a lane passes an event that did not get through', async (t) => {
  const { store, relay, clock } = relayScene()
  const [first, second] = [event('a'), event('a')]
  store.put(first, second)
  let answer = POISONED
  const sink = scriptedSink(() => answer)
  const { relay: one } = relay(sink)
  t.match(await one.runOnce(), { retried: 1, delivered: 0 })
  t.same(sink.sent.map(({ id }) => id), [first.id])
  answer = DELIVERED
  t.match(await one.runOnce(), { delivered: 0 }, 'its lane rests')
  await clock.advance(500)
  t.match(await one.runOnce(), { delivered: 2 })
  t.same(sink.sent.map(({ id, attempt }) => [id, attempt]), [[first.id, 1], [first.id, 2], [second.id, 1]])
})

test('a poisoned event blocks only its lane, becomes a dead letter, and arrives once it is redriven', async (t) => {
  const { store, relay, clock } = relayScene()
  const poisoned = event('p')
  store.put(poisoned, event('p'), event('q'))
  let cured = false
  const sink = scriptedSink(({ id }) => (id === poisoned.id && !cured ? POISONED : DELIVERED))
  const { relay: one, meter } = relay(sink, { attempts: 3, baseMs: 100, capMs: 1000 })
  one.start()
  await clock.advance(10)
  await clock.advance(5000)
  t.same(sink.sent.map(({ lane, attempt }) => `${lane}${attempt}`).toSorted(), ['p1', 'p2', 'p3', 'q1'])
  t.match(await store.deadLetters({ id: null, sink: null, lane: null, type: null }, 10, null), [{ id: poisoned.id, cause: '422', attempts: 3, blocks: true }])
  t.match(meter.ends, { delivered: 1, retried: 2, dead: 1 })
  cured = true
  await store.redrive({ id: poisoned.id, sink: null, lane: null, type: null }, 1, { by: 'me', reason: 'cured' })
  await clock.advance(3000)
  t.same(sink.sent.slice(-2).map(({ lane, attempt }) => `${lane}${attempt}`), ['p1', 'p1'], 'it, and then the one that waited behind it')
  t.equal(store.waiting, 0)
  await one.stop()
})

test('a dead letter of a sink that skips lets its lane go on; what is refused is one at once', async (t) => {
  const { store, relay } = relayScene()
  const [large, next] = [event('a'), event('a')]
  store.put(large, next)
  const sink = scriptedSink(({ id }) => (id === large.id ? { kind: 'refused', reason: 'too large' } : DELIVERED))
  const { relay: one } = relay(sink, { onDead: 'skip' })
  t.match(await one.runOnce(), { dead: 1 })
  t.match(await one.runOnce(), { delivered: 1 })
  t.match(await store.deadLetters({ id: null, sink: null, lane: null, type: null }, 10, null), [{ id: large.id, cause: 'too large', blocks: false }])
})

test('a hung receiver delays its own lane and nobody else', async (t) => {
  const { store, relay, clock } = relayScene()
  const hung = deferred<Delivery>()
  const sink = scriptedSink(({ lane }) => (lane === 'hung' ? hung.promise : DELIVERED))
  const { relay: one } = relay(sink, { lanes: 2 })
  store.put(event('hung'))
  one.start()
  await clock.advance(100)
  for (let i = 0; i < 20; i += 1) store.put(event(`lane-${i}`), event('hung'))
  await clock.advance(3000)
  t.equal(sink.sent.filter(({ lane }) => lane !== 'hung').length, 20)
  t.equal(sink.sent.filter(({ lane }) => lane === 'hung').length, 1, 'rounds overlap, lanes do not')
  hung.resolve(DELIVERED)
  await clock.advance(3000)
  t.equal(store.waiting, 0)
  await one.stop()
})

test('a lane with ten thousand blocked rows delays nobody', async (t) => {
  const { store, relay } = relayScene()
  store.put(...eventsOf('blocked', 10_000))
  const sink = scriptedSink(({ lane }) => (lane === 'blocked' ? { kind: 'refused', reason: 'too large' } : DELIVERED))
  const { relay: one } = relay(sink)
  t.match(await one.runOnce(), { dead: 1 })
  store.put(event('a'), event('z'))
  t.match(await one.runOnce(), { delivered: 2, dead: 0 })
  t.same(sink.sent.map(({ lane }) => lane), ['blocked', 'a', 'z'])
})

test('calls are made of several lanes up to what they may hold, and memory is bounded', async (t) => {
  const { store, relay } = relayScene()
  for (let i = 0; i < 5; i += 1) store.put(...eventsOf(`lane-${i}`, 3))
  const sink = scriptedSink(() => DELIVERED, { kind: 'sqs', atOnce: 1, shape: { events: 10, perLane: 10 } })
  t.match(await relay(sink).relay.runOnce(), { delivered: 15 })
  t.same(sink.calls.map(({ length }) => length), [10, 5])
  const small = relayScene()
  for (let i = 0; i < 3; i += 1) small.store.put(event(`lane-${i}`, { payload: Buffer.alloc(400) }))
  const narrow = scriptedSink(() => DELIVERED, { atOnce: 1, shape: { events: 10, bytes: 1000 } })
  await small.relay(narrow).relay.runOnce()
  t.same(narrow.calls.map(({ length }) => length), [2, 1])
  const huge = relayScene()
  huge.store.put(event('a', { payload: Buffer.alloc(5000) }), event('b'))
  const tight = scriptedSink(() => DELIVERED, { atOnce: 1, shape: { events: 10, bytes: 1000 } })
  t.match(await huge.relay(tight).relay.runOnce(), { delivered: 2 }, 'a larger one comes alone')
  t.same(tight.calls.map(({ length }) => length), [1, 1])
})

test('a relay that stopped renewing starts no further send, and what it sent is settled by the one that took over', async (t) => {
  const { store, relay, clock } = relayScene()
  const held = deferred<void>()
  let holding = false
  const holds = (own: OutboxStore): OutboxStore => but(own, {
    lead: async (...args) => {
      if (holding) await held.promise
      return await own.lead(...args)
    },
  })
  const hung = deferred<Delivery>()
  const stale = scriptedSink((_, signal) => new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(TIMED_OUT))
    void hung.promise.then(resolve)
  }), { atOnce: 1 })
  const fresh = scriptedSink(() => DELIVERED)
  const [one, two] = [relay(stale, { concurrency: 1 }, holds), relay(fresh)]
  store.put(event('a'), event('b'))
  one.relay.start()
  await clock.advance(10)
  two.relay.start()
  t.equal(stale.sent.length, 1)
  holding = true
  await clock.advance(9500)
  t.equal(one.meter.leading, false, 'its trust has ended before its lease')
  t.equal(fresh.sent.length, 0, 'nobody else leads yet')
  await clock.advance(4000)
  t.equal(fresh.sent.length, 2, 'within the lease of the other one')
  t.equal(stale.sent.length, 1, 'the stale one has started nothing more')
  t.equal(store.waiting, 0)
  t.same(one.meter.ends, { delivered: 0, retried: 0, deferred: 0, dead: 0 }, 'nor settled anything')
  t.equal(stale.sent[0]?.id, fresh.sent.find(({ lane }) => lane === stale.sent[0]?.lane)?.id, 'sent again under the same id')
  held.resolve()
  await one.relay.stop()
  await two.relay.stop()
})

test('a relay whose timers come late asks its clock before each send', async (t) => {
  const { store, relay, clock } = relayScene()
  const answers: ((delivery: Delivery) => void)[] = []
  const sink = scriptedSink(() => new Promise((resolve) => { answers.push(resolve) }))
  const { relay: one } = relay(sink, {}, (own) => but(own, { lead: (...args) => (clock.monotonicMs() > 1_000_100 ? new Promise(() => undefined) : own.lead(...args)) }))
  store.put(event('a'), event('a'))
  one.start()
  await clock.advance(10)
  t.equal(sink.sent.length, 1)
  clock.jump(20_000) // as after SIGSTOP and SIGCONT: timers have not run yet
  answers[0]?.(DELIVERED)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(sink.sent.length, 1, 'the second one is not sent')
  t.equal(store.waiting, 2, 'and the first one not settled')
})

test('a settle of unknown result is written again while the relay leads', async (t) => {
  const { store, relay, clock } = relayScene()
  let failures = 2
  const settled: number[] = []
  const flaky = (own: OutboxStore): OutboxStore => but(own, {
    settle: async (lead, ends) => {
      settled.push(ends.length)
      failures -= 1
      if (failures >= 0) throw new StoreUnavailable('unknown', 'gone')
      return await own.settle(lead, ends)
    },
  })
  store.put(event('a'))
  const { relay: one } = relay(scriptedSink(() => DELIVERED), {}, flaky)
  one.start()
  await clock.advance(10)
  await clock.advance(2000)
  t.same(settled, [1, 1, 1])
  t.equal(store.waiting, 0)
  await one.stop()
})

test('without anything to deliver a sink costs less than one query a second', async (t) => {
  const { relay, clock, queries } = relayScene()
  const { relay: one } = relay(scriptedSink(() => DELIVERED))
  one.start()
  await clock.advance(10_000)
  const before = queries.count
  await clock.advance(100_000)
  t.ok(queries.count - before < 100, `${queries.count - before} in 100 s`)
  await one.stop()
})

test('a ring is answered at once, without waiting for the poll', async (t) => {
  const { store, relay, clock, bell } = relayScene()
  const sink = scriptedSink(() => DELIVERED)
  const { relay: one } = relay(sink)
  one.start()
  await clock.advance(10_000)
  store.put(event('a'))
  bell.ring('hook')
  await clock.advance(15)
  t.equal(sink.sent.length, 1)
  await one.stop()
})

test('when a leader stops, the next one begins without waiting for the lease', async (t) => {
  const { store, relay, clock } = relayScene()
  const [first, second] = [scriptedSink(() => DELIVERED), scriptedSink(() => DELIVERED)]
  const [one, two] = [relay(first), relay(second)]
  one.relay.start()
  await clock.advance(100)
  two.relay.start()
  await clock.advance(100)
  await one.relay.stop()
  store.put(event('a'))
  await clock.advance(100)
  t.equal(second.sent.length, 1)
  t.equal(second.begins, 1)
  await two.relay.stop()
})

test('a sink that wants nothing any more is left alone until a restart', async (t) => {
  const { store, relay, clock } = relayScene()
  for (let i = 0; i < 10; i += 1) store.put(event(`lane-${i}`))
  const sink = scriptedSink(() => ({ kind: 'disabled', reason: '410' }), { atOnce: 1 })
  const { relay: one, meter, journal } = relay(sink)
  one.start()
  await clock.advance(60_000)
  t.equal(sink.sent.length, 1)
  t.equal(meter.why, 'disabled')
  t.equal(journal.events.filter((name) => name === 'sink.disabled').length, 1)
  t.equal(store.waiting, 10)
  await one.stop()
  t.equal(meter.why, 'no', 'another one may lead now, and show it')
})

test('an outage of the sink costs no event an attempt, and ends in one probe', async (t) => {
  const { store, relay, clock } = relayScene()
  for (let i = 0; i < 50; i += 1) store.put(event(`lane-${i}`))
  let away = true
  const sink = scriptedSink(() => (away ? SINK_IS_AWAY : DELIVERED))
  const { relay: one, meter } = relay(sink, { attempts: 1 })
  one.start()
  await clock.advance(100)
  const burst = sink.sent.length
  t.ok(burst <= 64)
  await clock.advance(120_000)
  t.ok(sink.sent.length - burst <= 20, `${sink.sent.length - burst} probes in two minutes`)
  t.equal(meter.ends.dead, 0)
  t.equal(meter.ends.retried, 0)
  away = false
  await clock.advance(45_000)
  t.equal(meter.ends.delivered, 50)
  t.same(meter.pauses, ['no', 'resting', 'no'])
  await one.stop()
})

test('a sink begins anew after a failure that was its own, before anything else is sent', async (t) => {
  const { store, relay, clock } = relayScene()
  const story: string[] = []
  let fenced = false
  const sink = scriptedSink(() => {
    story.push(fenced ? 'fenced' : 'sent')
    return fenced ? SINK_IS_AWAY : DELIVERED
  }, {
    atOnce: 1,
    begin: () => {
      story.push('begun')
      fenced = false
      return Promise.resolve()
    },
  })
  const { relay: one, meter } = relay(sink)
  store.put(event('a'))
  one.start()
  await clock.advance(100)
  fenced = true
  store.put(event('b'))
  await clock.advance(60_000)
  t.same(story, ['begun', 'sent', 'fenced', 'begun', 'sent'])
  t.match(meter.ends, { delivered: 2, deferred: 1 })
  await one.stop()
})

test('a sink that remembers only its last call gets the next one when that is settled', async (t) => {
  const { store, relay, clock } = relayScene()
  const settling = deferred<void>()
  const sink = scriptedSink(() => DELIVERED, { atOnce: 1, settledFirst: true, shape: { events: 1 } })
  const { relay: one } = relay(sink, {}, (own) => new Proxy(own, {
    get: (target, name: keyof OutboxStore) => (name === 'settle' ? (...args: Parameters<OutboxStore['settle']>) => settling.promise.then(() => target.settle(...args)) : target[name].bind(target)),
  }))
  store.put(event('a'), event('b'), event('c'))
  one.start()
  await clock.advance(1000)
  t.equal(sink.calls.length, 1)
  settling.resolve()
  await clock.advance(1000)
  t.equal(sink.calls.length, 3)
  t.equal(store.waiting, 0)
  await one.stop()
})

test('a sink that is not ready is asked again, and gets nothing before', async (t) => {
  const { store, relay, clock } = relayScene()
  let ready = false
  const sink = scriptedSink(() => DELIVERED, { begin: () => (ready ? Promise.resolve() : Promise.reject(new Error('no broker'))) })
  store.put(event('a'))
  const { relay: one, meter } = relay(sink)
  one.start()
  await clock.advance(10)
  await clock.advance(20_000)
  t.equal(sink.sent.length, 0)
  t.equal(meter.why, 'resting')
  ready = true
  await clock.advance(20_000)
  t.equal(sink.sent.length, 1)
  await one.stop()
})

test('a stop lets what is under way end, and sends nothing more', async (t) => {
  const { store, relay, clock } = relayScene()
  const slow = deferred<Delivery>()
  const sink = scriptedSink(() => slow.promise)
  store.put(event('a'), event('a'))
  const { relay: one } = relay(sink)
  one.start()
  await clock.advance(10)
  const stopped = one.stop()
  await clock.advance(10)
  slow.resolve(DELIVERED)
  await clock.advance(10)
  await stopped
  t.equal(sink.sent.length, 1)
  t.equal(store.waiting, 1)
})

test('a settle that meets a defect while the next event of its lane is out ends the term, and no process', async (t) => {
  const { store, relay, clock } = relayScene()
  store.put(...eventsOf('a', 2))
  const second = deferred<Delivery>()
  const sink = scriptedSink(({ attempt, row }) => (row === 2 && attempt === 1 ? second.promise : DELIVERED))
  const { relay: one, journal } = relay(sink, {}, (own) => but(own, { settle: () => Promise.reject(new TypeError('not of this world')) }))
  const unhandled: unknown[] = []
  const note = (error: unknown): void => { unhandled.push(error) }
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  one.start()
  await clock.advance(10)
  second.resolve(DELIVERED)
  await clock.advance(10)
  t.same(unhandled, [])
  t.ok(journal.events.includes('relay.defect'))
  await Promise.all([one.stop(), clock.advance(5000)])
})

test('a defect that comes again each time is met less and less often', async (t) => {
  const { store, relay, clock } = relayScene()
  store.put(event('a'))
  const sink = scriptedSink(() => Promise.reject(new TypeError('not of this world')))
  // in a turn of its own, as every store's answer is: a loop is to be seen, and not to hang the test
  const { relay: one } = relay(sink, {}, (own) => but(own, {
    lead: async (...args) => {
      await new Promise((resolve) => { setImmediate(resolve) })
      return own.lead(...args)
    },
  }))
  one.start()
  for (let s = 0; s < 60; s += 1) await clock.advance(1000)
  t.ok(sink.calls.length >= 3 && sink.calls.length <= 15, `${sink.calls.length} deliveries in a minute`)
  await Promise.all([one.stop(), clock.advance(5000)])
})

test('a sink that cannot begin is not asked more often because events come', async (t) => {
  const { relay, clock, bell } = relayScene()
  const sink = scriptedSink(() => DELIVERED, { begin: () => Promise.reject(new Error('no broker')) })
  const { relay: one } = relay(sink)
  one.start()
  for (let ms = 0; ms < 10_000; ms += 50) {
    await clock.advance(50)
    bell.ring('hook')
  }
  t.ok(sink.begins >= 3 && sink.begins <= 6, `${sink.begins} times in ten seconds`)
  await Promise.all([one.stop(), clock.advance(5000)])
})

test('a receiver that wants nothing any more is shown as that, whatever the calls that were out come to', async (t) => {
  const { store, relay, clock } = relayScene()
  store.put(event('a'), event('b'))
  const other = deferred<Delivery>()
  const sink = scriptedSink(({ lane }) => (lane === 'a' ? { kind: 'disabled', reason: '410' } : other.promise))
  const { relay: one, meter } = relay(sink)
  one.start()
  await clock.advance(10)
  t.equal(meter.why, 'disabled')
  other.resolve(SINK_IS_AWAY)
  await clock.advance(10)
  t.equal(meter.why, 'disabled')
  await Promise.all([one.stop(), clock.advance(5000)])
})

test('a catch-up ends also where so many lanes stand still that one look does not reach the last of them', async (t) => {
  const { store, relay, clock } = relayScene()
  for (let n = 0; n < 100; n += 1) store.put(event(`l${n}`))
  await clock.advance(60_000)
  const sink = scriptedSink(() => DELIVERED)
  // the first look goes as far as the lanes that stand still
  const { relay: one, meter } = relay(sink, {}, (own) => but(own, {
    take: async (wanted) => (wanted.after === null ? { events: [], at: clock.wallMs(), next: '\u0000', dueInMs: null } : own.take(wanted)),
  }))
  one.start()
  await clock.advance(10)
  t.equal(meter.rate, 50)
  for (let s = 0; s < 30; s += 1) await clock.advance(1000)
  t.equal(sink.sent.length, 100)
  t.equal(meter.rate, null)
  await Promise.all([one.stop(), clock.advance(5000)])
})

/** The store, but for these. */
function but(store: OutboxStore, others: Partial<OutboxStore>): OutboxStore {
  return new Proxy(store, { get: (own, name: keyof OutboxStore) => others[name] ?? own[name] })
}
