import { test } from 'tap'
import type { OutboxEvent } from '../../src/core/event.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { systemRandom } from '../../src/host/random.ts'
import { Keyring } from '../../src/store/keyring.ts'
import { sealedEvents, sealedOutbox } from '../../src/store/sealed-outbox.ts'
import { sealedStore } from '../../src/store/sealing.ts'
import { ALL, committing, event, EVERYTHING, led, SINK, taken } from '../contract/outbox/situation.ts'
import { ACT, claimed, completion, HeldClock, keptReply, request } from '../contract/situation.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'

const OLD = { id: 'old', secret: new Uint8Array(32).fill(1) }
const NEW = { id: 'new', secret: new Uint8Array(32).fill(2) }
const ring = (...keys: readonly (typeof OLD)[]): Keyring => new Keyring(keys, systemRandom())
const text = (payload: Uint8Array | undefined): string => Buffer.from(payload ?? []).toString()

function stored(keyring: Keyring, ...events: OutboxEvent[]): MemoryOutboxStore {
  const outbox = new MemoryOutboxStore(new HeldClock())
  outbox.put(...sealedEvents(events, keyring))
  return outbox
}

test('a payload is sealed with its completion or the end of its doubt, and opens when it is taken', async (t) => {
  const keys = new MemoryKeyStore(new HeldClock())
  const sealed = sealedStore(keys, ring(NEW))
  await committing(sealed)(event('a1'))
  const doubt = await claimed(sealed, request('doubt', '1'))
  await sealed.abandon(doubt, 'deadline', 1)
  await sealed.resolve(doubt.id, doubt.fence, { as: 'completed', reply: keptReply('found'), events: [event('b1')] }, null)
  t.equal(keys.events.length, 2)
  for (const { payload } of keys.events) t.notMatch(text(payload), /"id"/)
  const under = new MemoryOutboxStore(new HeldClock())
  under.put(...keys.events)
  const { events } = await sealedOutbox(under, ring(NEW, OLD)).take(EVERYTHING)
  t.strictSame(events.map(({ payload }) => text(payload)), ['{"id":"a1"}', '{"id":"b1"}'])
  t.equal(await sealed.complete(await claimed(sealed, request('x', '1')), completion('done')), 'written')
})

test('what was stored before there were keys is delivered as it is, and without keys nothing is sealed', async (t) => {
  for (const [before, after] of [[ring(), ring(NEW)], [ring(), ring()]] as const) {
    const { events } = await sealedOutbox(stored(before, event('a1')), after).take(EVERYTHING)
    t.equal(text(events[0]?.payload), '{"id":"a1"}')
  }
})

test('a payload that does not open holds its lane as a dead letter, others go on, and with its key back a redrive delivers it in its place', async (t) => {
  const under = stored(ring(OLD), event('a1'), event('a2'))
  under.put(...sealedEvents([event('b1')], ring(NEW)))
  const outbox = sealedOutbox(under, ring(NEW))
  await led(outbox)
  t.strictSame(await taken(outbox), ['b1'])
  t.match(await outbox.deadLetters(ALL, 10, null), [{ id: 'a1', blocks: true, cause: /store\.sealing\.keys/, payload: { length: 0 } }])
  t.strictSame(await taken(outbox), ['b1'])
  const again = sealedOutbox(under, ring(NEW, OLD))
  t.equal(text((await again.deadLetters(ALL, 10, null))[0]?.payload), '{"id":"a1"}')
  t.strictSame(await again.redrive(ALL, 10, ACT), { redriven: 1, unbuilt: 0 })
  t.strictSame(await taken(again), ['a1', 'a2', 'b1'])
})

test('a sealed payload that was moved to another event does not open', async (t) => {
  const [moved] = sealedEvents([event('a1')], ring(NEW))
  const under = stored(ring(), { ...event('a2'), payload: moved?.payload ?? new Uint8Array(0) })
  await t.rejects(sealedOutbox(under, ring(NEW)).take(EVERYTHING), StoreUnavailable, 'nobody leads who could bury it')
  const other = sealedOutbox(under, ring(NEW))
  const lead = await led(other, 'relay-1', SINK)
  await led(under, 'relay-1', SINK)
  await under.resign(lead)
  await t.rejects(other.take(EVERYTHING), StoreUnavailable, 'and neither may who was superseded')
  t.strictSame(await under.deadLetters(ALL, 10, null), [])
})
