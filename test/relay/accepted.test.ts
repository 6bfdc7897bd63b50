import { NO_TRACER } from '../../src/core/tracing.ts'
import { test } from 'tap'
import type { Delivery, Outgoing } from '../../src/core/delivery.ts'
import { operationsSink, type Executed } from '../../src/core/operations.ts'
import { openAcceptedSink } from '../../src/relay/accepted.ts'
import { Relay } from '../../src/relay/relay.ts'
import { NotedJournal } from '../support/quiet.ts'
import { event, relayScene } from '../support/relay-scene.ts'
import { NotedRelayMeter } from '../support/scripted-sink.ts'

const SETTINGS = operationsSink({ concurrency: 2, attempts: 3, baseMs: 10, capMs: 40, leaseMs: 10_000, quota: 10, requestBodyBytes: 1000, longestWaitMs: 1000 })

const outgoing = (payload = 'p'): Outgoing => ({ row: 1, id: 'op_1', lane: 'o.op_1', type: 'operation.accepted', payload: Buffer.from(payload), committedAt: 0, attempts: 0, firstFailedMs: null, attempt: 1 })

const JUDGED: readonly (readonly [Executed, Delivery])[] = [
  [{ kind: 'completed' }, { kind: 'delivered' }],
  [{ kind: 'released', cause: 'the upstream answered 429', blame: 'event', notBeforeMs: 7000 }, { kind: 'retryable', cause: 'the upstream answered 429', blame: 'event', notBeforeMs: 7000 }],
  [{ kind: 'released', cause: 'not sent: dns', blame: 'sink', notBeforeMs: null }, { kind: 'retryable', cause: 'not sent: dns', blame: 'sink', notBeforeMs: null }],
  [{ kind: 'resent', cause: 'connection-lost' }, { kind: 'retryable', cause: 'connection-lost', blame: 'event', notBeforeMs: null }],
  [{ kind: 'doubt', cause: 'connection-lost' }, { kind: 'refused', reason: 'nobody knows whether it was executed (connection-lost): resolve its key first, a redrive before that ends here again' }],
  [{ kind: 'waiting', why: 'busy', againMs: 5 }, { kind: 'postponed', cause: 'another process is executing it', afterMs: 5 }],
  [{ kind: 'gone' }, { kind: 'refused', reason: 'its key is gone: it was freed, or its retention has ended' }],
]

test('what came of an execution, as the relay has it', async (t) => {
  for (const [executed, delivery] of JUDGED) {
    const sink = openAcceptedSink({ execute: () => Promise.resolve(executed) })
    t.strictSame(await sink.deliver([outgoing()], new AbortController().signal), [delivery], executed.kind)
  }
})

test('who loses the lead waits for nothing, and begins nothing', async (t) => {
  let begun = 0
  const sink = openAcceptedSink({ execute: () => {
    begun += 1
    return new Promise<Executed>(() => undefined)
  } })
  const term = new AbortController()
  const delivering = sink.deliver([outgoing()], term.signal)
  term.abort()
  t.match(await delivering, [{ kind: 'postponed', afterMs: 0 }])
  t.match(await sink.deliver([outgoing()], term.signal), [{ kind: 'postponed' }])
  t.equal(begun, 1)
})

function executing(answer: (payload: string, time: number) => Executed | Promise<Executed>) {
  const { clock, store, bell } = relayScene()
  const times = new Map<string, number>()
  const [meter, journal] = [new NotedRelayMeter(), new NotedJournal()]
  const sink = openAcceptedSink({ execute: async (bytes) => {
    const payload = Buffer.from(bytes).toString()
    const time = (times.get(payload) ?? 0) + 1
    times.set(payload, time)
    return await answer(payload, time)
  } })
  const relay = new Relay({ sink, settings: SETTINGS, store, bell, clock, meter, journal, tracer: NO_TRACER, random: { uniform: () => 0.5, token: () => 'holder' } })
  const put = (name: string): void => store.put(event(`owner.${name}`, { id: name, sink: 'operations', payload: Buffer.from(name) }))
  return { clock, store, relay, meter, times, put }
}

test('what cannot be done yet costs no attempt, and holds up nobody', async (t) => {
  const { clock, store, relay, meter, times, put } = executing((payload, time) => (payload === 'stuck' && time < 20 ? { kind: 'waiting', why: 'unsure', againMs: 100 } : { kind: 'completed' }))
  put('stuck')
  for (const name of ['a', 'b', 'c', 'd']) put(name)
  relay.start()
  for (let i = 0; i < 20; i += 1) await clock.advance(10)
  t.strictSame([...times].filter(([name]) => name !== 'stuck').map(([, count]) => count), [1, 1, 1, 1])
  t.strictSame(meter.pauses.filter((why) => why !== 'no'), [], 'the sink rests for none of it')
  for (let i = 0; i < 300; i += 1) await clock.advance(10)
  t.equal(store.waiting, 0)
  t.match(meter.ends, { delivered: 5, dead: 0, retried: 0, deferred: 19 })
  await Promise.all([relay.stop(), clock.advance(4000)])
})

test('a doubt is a dead letter that a redrive does not cure by itself', async (t) => {
  const { clock, store, relay, times, put } = executing((_, time) => (time < 3 ? { kind: 'doubt', cause: 'deadline' } : { kind: 'completed' }))
  put('op_1')
  relay.start()
  const filter = { id: 'op_1', sink: 'operations', lane: null, type: null }
  for (const time of [1, 2]) {
    for (let i = 0; i < 300; i += 1) await clock.advance(10)
    t.match(await store.deadLetters(filter, 1, null), [{ cause: /nobody knows/ }], `time ${time}`)
    await store.redrive(filter, 1, { by: 'test', reason: 'test' })
  }
  for (let i = 0; i < 300; i += 1) await clock.advance(10)
  t.strictSame([store.waiting, times.get('op_1'), (await store.deadLetters(filter, 1, null)).length], [0, 3, 0])
  await Promise.all([relay.stop(), clock.advance(4000)])
})

test('no more are under way at one time than may be; a stop waits for them as long as it is told to', async (t) => {
  const ends: (() => void)[] = []
  const { clock, relay, times, put, store } = executing(() => new Promise((resolve) => { ends.push(() => resolve({ kind: 'completed' })) }))
  for (const name of ['a', 'b', 'c', 'd', 'e']) put(name)
  relay.start()
  for (let i = 0; i < 20; i += 1) await clock.advance(10)
  t.equal(times.size, 2)
  const stopped = relay.stop(60_000)
  for (let i = 0; i < 100; i += 1) await clock.advance(100)
  t.equal(times.size, 2, 'nothing new begins')
  for (const end of ends) end()
  await Promise.all([stopped, clock.advance(100)])
  t.equal(store.waiting, 3, 'and what has ended is written')
})
