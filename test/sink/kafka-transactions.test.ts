import { test } from 'tap'
import t from 'tap'
import { readOffset, readTopic, type Address, type KafkaRecord } from '../support/services/kafka-client.ts'
import { startKafkaRelay, API } from '../support/kafka-relay.ts'
import { startKafka, type KafkaBroker } from '../support/services/kafka.ts'
import { needs } from '../support/services/needs.ts'
import { decodeNote } from '../../src/sink/kafka/published.ts'
import { DELIVERED, eventsIn, kafkaTo, never } from './kafka-situation.ts'

needs(t, 'kafka')

const relay = await startKafkaRelay(() => broker.relayedPort)
const broker: KafkaBroker = await startKafka(t, { advertise: relay.port })
t.teardown(() => relay.close())
const through: Address = { host: '127.0.0.1', port: relay.port }

test('a transaction says which events it published, where a successor reads it', async (t) => {
  const topic = await broker.topic(3)
  const events = eventsIn(50, 1000)
  const leader = await kafkaTo(t, broker, topic, { transactionalId: 'notes' })
  await leader.begin()
  t.strictSame(await leader.deliver(events, never()), events.map(() => DELIVERED))
  const rows: number[] = []
  for (const slot of [0, 1]) rows.push(...decodeNote((await readOffset(broker, `onceward-relay-payments-${slot}`, topic)).metadata).hashes.keys())
  t.strictSame(rows, events.map(({ row }) => row), 'two transactions, since a note holds 500')
  // the process dies before it has settled them, and the successor sends them again
  const successor = await kafkaTo(t, broker, topic, { transactionalId: 'notes' })
  await successor.begin()
  const further = eventsIn(50, 100)
  t.strictSame(await successor.deliver([...events.slice(300, 900), ...further], never()), [...events.slice(300, 900), ...further].map(() => DELIVERED))
  t.strictSame(idsOf(await readTopic(broker, topic, 'read_committed')), [...events, ...further].map(({ id }) => id), 'nothing stands there twice')
})

test('what an earlier leader published is known, however much its successors publish before they come to it', async (t) => {
  const topic = await broker.topic(3)
  const events = eventsIn(50, 400)
  const first = await kafkaTo(t, broker, topic, { transactionalId: 'patient' })
  await first.begin()
  await first.deliver(events, never())
  for (let n = 0; n < 3; n += 1) {
    const successor = await kafkaTo(t, broker, topic, { transactionalId: 'patient' })
    await successor.begin()
    for (let call = 0; call < 10; call += 1) await successor.deliver(eventsIn(50, 20), never())
  }
  const last = await kafkaTo(t, broker, topic, { transactionalId: 'patient' })
  await last.begin()
  t.strictSame(await last.deliver(events, never()), events.map(() => DELIVERED))
  const ids = idsOf(await readTopic(broker, topic, 'read_committed'))
  t.equal(ids.length, 400 + 600)
  t.equal(new Set(ids).size, 400 + 600)
})

test('a sink that lost its id publishes nothing more, and takes nothing back until it begins anew', async (t) => {
  const topic = await broker.topic(3)
  const zombie = await kafkaTo(t, broker, topic, { transactionalId: 'contested' })
  await zombie.begin()
  const [before, lost, after] = [eventsIn(9, 30), eventsIn(9, 30), eventsIn(9, 30)]
  await zombie.deliver(before, never())
  const leader = await kafkaTo(t, broker, topic, { transactionalId: 'contested' })
  await leader.begin()
  for (let n = 0; n < 3; n += 1) {
    for (const end of await zombie.deliver(lost, never())) if (end.kind !== 'retryable' || end.blame !== 'sink') t.fail(`a zombie's event is ${end.kind}`)
  }
  t.strictSame(await leader.deliver(after, never()), after.map(() => DELIVERED), 'the leader was not thrown out')
  t.strictSame(idsOf(await readTopic(broker, topic, 'read_committed')), [...before, ...after].map(({ id }) => id))
  await zombie.begin()
  t.strictSame(await zombie.deliver([...after, ...lost], never()), [...after, ...lost].map(() => DELIVERED))
  t.strictSame(idsOf(await readTopic(broker, topic, 'read_committed')), [...before, ...after, ...lost].map(({ id }) => id).toSorted())
})

test('a successor that begins in the middle of a transaction ends it', async (t) => {
  const topic = await broker.topic(3)
  const events = eventsIn(9, 30)
  const hung = await kafkaTo(t, through, topic, { transactionalId: 'open' })
  await hung.begin()
  relay.drop(API.produce, 1)
  const dropped = relay.dropped()
  const stop = new AbortController()
  const ends = hung.deliver(events, stop.signal)
  await dropped
  relay.mode = 'swallow'
  stop.abort()
  t.match(await ends, events.map(() => ({ kind: 'retryable' })))
  t.equal((await readTopic(broker, topic, 'read_uncommitted')).length, 30, 'they were written')
  const successor = await kafkaTo(t, broker, topic, { transactionalId: 'open' })
  await successor.begin()
  t.strictSame(await successor.deliver(events, never()), events.map(() => DELIVERED))
  relay.mode = 'pass'
  t.strictSame(idsOf(await readTopic(broker, topic, 'read_committed')), events.map(({ id }) => id))
  t.equal((await readTopic(broker, topic, 'read_uncommitted')).length, 60, 'who reads without committed sees both')
})

test('a commit whose answer was lost is asked about until it is known', async (t) => {
  const topic = await broker.topic(3)
  const events = eventsIn(9, 30)
  const sink = await kafkaTo(t, through, topic, { transactionalId: 'asked' })
  await sink.begin()
  relay.drop(API.endTransaction, 2)
  t.strictSame(await sink.deliver(events, never()), events.map(() => DELIVERED))
  t.equal((await readTopic(broker, topic, 'read_committed')).length, 30)
})

for (const by of ['the same sink', 'a successor'] as const) {
  test(`a commit that nobody heard of is recognised by ${by}`, async (t) => {
    const topic = await broker.topic(3)
    const [events, further] = [eventsIn(9, 30), eventsIn(9, 30)]
    const transactionalId = `unheard-${by.length}`
    const sink = await kafkaTo(t, through, topic, { transactionalId, timeoutMs: 1500 })
    await sink.begin()
    relay.drop(API.endTransaction, 1000)
    for (const end of await sink.deliver(events, never())) if (end.kind !== 'retryable') t.fail(`an unheard commit is ${end.kind}`)
    relay.drop(API.endTransaction, 0)
    const next = by === 'the same sink' ? sink : await kafkaTo(t, broker, topic, { transactionalId })
    if (next !== sink) await next.begin()
    t.strictSame(await next.deliver(further, never()), further.map(() => DELIVERED), 'others go on meanwhile')
    t.strictSame(await next.deliver(events, never()), events.map(() => DELIVERED))
    t.strictSame(idsOf(await readTopic(broker, topic, 'read_committed')), [...events, ...further].map(({ id }) => id))
  })
}

function idsOf(records: readonly KafkaRecord[]): string[] {
  return records.map(({ headers }) => headers['ce_id'] ?? '').toSorted()
}
