import { getEventListeners } from 'node:events'
import type { Test } from 'tap'
import type { Delivery } from '../../src/core/delivery.ts'
import { callsFor, deliverAll, outgoing, type OpenSink, type SinkHarness } from './sink-situation.ts'

/** Long enough for a busy machine: only what hangs runs into it. */
const PATIENT_MS = 30_000
const HASTY_MS = 700
/** Long before PATIENT_MS is over. */
const SOON_MS = 15_000

/**
 * What every Sink promises (core/outbox-ports.ts), in executable form, against the real receiver. Nothing in here knows
 * which one it is.
 */
export function sinkContract(t: Test, harness: SinkHarness): void {
  t.test('what is delivered arrives once, with its id and its bytes', async (t) => {
    const { sink, arrivals, narrow } = await ready(t, harness)
    const events = [
      outgoing('plain', { amount: 1 }),
      outgoing('text', { text: `Grüße, 東京, ${narrow === true ? '' : '🧾'}, \u2028 and "quotes" \\ \n \u0000 \ud800` }),
      outgoing('large', { text: 'x'.repeat(100_000) }),
      outgoing('empty', null),
    ]
    t.strictSame(await deliverAll(sink, events), events.map(() => DELIVERED))
    const seen = await arrivals(events.length)
    t.equal(seen.length, events.length)
    for (const { id, payload } of events) t.ok(seen.find((arrival) => arrival.id === id && Buffer.compare(arrival.body, payload) === 0), id)
  })

  t.test('events of a lane arrive in their order, beside those of other lanes', async (t) => {
    const { sink, arrivals } = await ready(t, harness)
    const lanes = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const events = Array.from({ length: 70 }, (_, n) => outgoing(lanes[n % lanes.length] ?? '', { n }))
    t.strictSame(await deliverAll(sink, events), events.map(() => DELIVERED))
    const seen = await arrivals(events.length)
    for (const lane of lanes) {
      const ids = events.filter((event) => event.lane === lane).map(({ id }) => id)
      t.strictSame(seen.filter(({ id }) => ids.includes(id)).map(({ id }) => id), ids, lane)
    }
  })

  t.test('no two lanes are one to the receiver, and no lane is two, however they are called', async (t) => {
    const { sink, arrivals, narrow } = await ready(t, harness)
    const lanes = ['a', 'A', ' a', 'a ', 'ä', 'a\u0308', 'ключ', 'a\nb', 'a\r\nX-Lane: b', '\u0000', '', '{"a":1}', 'x'.repeat(128), 'x'.repeat(129), `${'x'.repeat(129)}y`, (narrow === true ? 'ы' : '😀').repeat(50), 'sha256:', 'a/b?c#d%20']
    const events = [...lanes, ...lanes].map((lane) => outgoing(lane))
    t.strictSame(await deliverAll(sink, events), events.map(() => DELIVERED))
    const seen = new Map((await arrivals(events.length)).map(({ id, lane }) => [id, lane]))
    for (const lane of lanes) t.equal(new Set(events.filter((event) => event.lane === lane).map(({ id }) => seen.get(id))).size, 1, `${JSON.stringify(lane)} is one`)
    t.equal(new Set(seen.values()).size, lanes.length, 'and they are as many as ours')
  })

  t.test('the type of an event is content and nothing else, whatever stands in it', async (t) => {
    const { sink, arrivals } = await ready(t, harness)
    const types = ['x\r\nwebhook-signature: v1,forged', 'ключ', '\u0000', '', 'x'.repeat(5000), 'a b']
    const events = types.map((type, n) => outgoing(`lane-${n}`, {}, { type }))
    t.strictSame(await deliverAll(sink, events), events.map(() => DELIVERED))
    t.strictSame((await arrivals(events.length)).map(({ body }) => typeIn(body)).toSorted(), types.toSorted())
  })

  t.test('an event that is delivered again carries the same id and the same bytes', async (t) => {
    const { sink, arrivals } = await ready(t, harness)
    const event = outgoing('a', { n: 1 })
    t.strictSame(await deliverAll(sink, [event]), [DELIVERED])
    t.strictSame(await deliverAll(sink, [{ ...event, attempt: 2, attempts: 1, firstFailedMs: 20 }]), [DELIVERED])
    const last = outgoing('z')
    await deliverAll(sink, [last])
    const seen = await arrivals(2)
    for (const { id, body } of seen.filter((arrival) => arrival.id !== last.id)) {
      t.equal(id, event.id)
      t.ok(Buffer.compare(body, event.payload) === 0)
    }
  })

  t.test('a full call is one that the receiver takes, and as many as may be out at once do not mix', async (t) => {
    const { sink, arrivals } = await ready(t, harness)
    const perCall = Math.min(sink.shape.events, 500)
    const calls = Array.from({ length: Math.min(sink.atOnce, 20) }, (_, call) => Array.from({ length: perCall }, (_, n) => outgoing(`lane-${call}-${n}`)))
    const ends = await Promise.all(calls.map((call) => sink.deliver(call, never())))
    t.strictSame(ends, calls.map((call) => call.map(() => DELIVERED)))
    const seen = await arrivals(calls.flat().length)
    t.strictSame(seen.map(({ id }) => id).toSorted(), calls.flat().map(({ id }) => id).toSorted())
  })

  t.test('as many bytes as the shape allows fit into one call', async (t) => {
    const { sink, arrivals } = await ready(t, harness)
    const bytes = Math.min(sink.shape.bytes, 1_048_576)
    const count = Math.min(sink.shape.events, 10)
    const overhead = outgoing('lane-0').payload.length + 20
    const call = Array.from({ length: count }, (_, n) => outgoing(`lane-${n}`, 'x'.repeat(Math.floor(bytes / count) - overhead)))
    t.equal(callsFor(call, sink.shape).length, 1)
    t.strictSame(await sink.deliver(call, never()), call.map(() => DELIVERED))
    t.equal((await arrivals(count)).length, count)
  })

  t.test('what is too large is refused, and those beside it are delivered', async (t) => {
    const { sink, arrivals, tooLarge } = await ready(t, harness)
    if (tooLarge === null) return t.pass('this receiver has no bound of its own')
    const events = [outgoing('a'), outgoing('b', 'x'.repeat(tooLarge)), outgoing('c')]
    const ends = await deliverAll(sink, events)
    t.strictSame(ends.map(({ kind }) => kind), ['delivered', 'refused', 'delivered'])
    t.notMatch(JSON.stringify(ends), /xxx/, 'the reason has nothing of the body')
    t.equal((await arrivals(2)).length, 2)
  })

  t.test('while nobody listens every event may be tried again, and it is the receiver that is to blame', async (t) => {
    const { sink, shut, secrets } = await ready(t, harness, HASTY_MS)
    await shut()
    const ends = await deliverAll(sink, [outgoing('a'), outgoing('b'), outgoing('a')])
    for (const end of ends) t.match(end, { kind: 'retryable', blame: 'sink', cause: /\w/ })
    tellsNothing(t, ends, secrets)
  })

  t.test('a receiver that says nothing is given up after its time', async (t) => {
    const { sink, silence, secrets } = await ready(t, harness, HASTY_MS)
    await silence()
    const ends = await sink.deliver([outgoing('a')], never())
    t.match(ends, [{ kind: 'retryable', blame: /^(sink|unknown)$/, cause: /\w/ }])
    t.equal(ends.length, 1)
    tellsNothing(t, ends, secrets)
  })

  t.test('a signal ends a delivery long before its time; one that was given before it begins, at once', async (t) => {
    const { sink, silence } = await ready(t, harness)
    await silence()
    const stop = new AbortController()
    const call = Array.from({ length: Math.min(sink.shape.events, 3) }, (_, n) => outgoing(`lane-${n}`))
    const ended = sink.deliver(call, stop.signal)
    const startedAt = performance.now()
    setTimeout(() => stop.abort(), 50)
    for (const end of [await ended, await sink.deliver(call, stop.signal)]) {
      t.strictSame(end.map(({ kind }) => kind), call.map(() => 'retryable'))
    }
    t.ok(performance.now() - startedAt < SOON_MS)
  })

  t.test('it is closed twice, with a delivery under way, and never rejects', async (t) => {
    const { sink, silence } = await ready(t, harness)
    await silence()
    const underWay = sink.deliver([outgoing('a')], never())
    await new Promise((resolve) => { setTimeout(resolve, 50) })
    const startedAt = performance.now()
    await Promise.all([sink.close(), sink.close()])
    await sink.close()
    t.match(await underWay, [{ kind: 'retryable' }])
    t.match(await sink.deliver([outgoing('b')], never()), [{ kind: 'retryable' }])
    t.ok(performance.now() - startedAt < SOON_MS)
  })

  t.test('a delivery leaves nothing behind on a signal that outlives it', async (t) => {
    const { sink } = await ready(t, harness)
    const signal = never()
    await deliverAll(sink, [outgoing('a'), outgoing('b'), outgoing('a')], signal)
    t.equal(getEventListeners(signal, 'abort').length, 0)
  })

  t.test('no events are no work', async (t) => {
    const { sink } = await ready(t, harness)
    t.strictSame(await sink.deliver([], never()), [])
  })
}

const DELIVERED: Delivery = { kind: 'delivered' }

function never(): AbortSignal {
  return new AbortController().signal
}

async function ready(t: Test, harness: SinkHarness, timeoutMs = PATIENT_MS): Promise<OpenSink> {
  const open = await harness.open(t, timeoutMs)
  t.teardown(() => open.sink.close())
  await open.sink.begin()
  return open
}

function tellsNothing(t: Test, ends: readonly Delivery[], secrets: readonly string[]): void {
  const told = JSON.stringify(ends)
  for (const secret of secrets) t.notOk(told.includes(secret), 'a cause names no secret')
}

function typeIn(body: Uint8Array): string {
  return String((JSON.parse(Buffer.from(body).toString('utf8')) as { type: unknown }).type)
}
