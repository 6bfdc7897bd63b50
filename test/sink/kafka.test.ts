import { test } from 'tap'
import t from 'tap'
import { startKafkaRelay, API } from '../support/kafka-relay.ts'
import { readTopic } from '../support/services/kafka-client.ts'
import { kafkaTopic, kafkaAddress, startKafka, type KafkaBroker } from '../support/services/kafka.ts'
import { needs } from '../support/services/needs.ts'
import { DELIVERED, eventsIn, kafkaTo, never } from './kafka-situation.ts'

needs(t, 'kafka')

const shared = await kafkaAddress()

test('a record has the lane as its key, the event as its value and the id in its header', async (t) => {
  const topic = await kafkaTopic(4)
  const sink = await kafkaTo(t, shared, topic)
  const events = eventsIn(3, 7)
  t.strictSame(await sink.deliver(events, never()), events.map(() => DELIVERED), 'even before it began')
  const seen = await readTopic(shared, topic, 'read_committed')
  t.equal(seen.length, 7)
  for (const { key, value, headers } of seen) {
    const event = events.find(({ id }) => id === headers['ce_id'])
    t.strictSame({ key, value: String(value), headers }, { key: event?.lane, value: Buffer.from(event?.payload ?? []).toString(), headers: { ce_id: event?.id, 'content-type': 'application/cloudevents+json' } })
  }
})

for (const transactionalId of [null, 'too-large']) {
  test(`one event that is too large is refused alone, and stops its lane${transactionalId === null ? '' : ', in a transaction too'}`, async (t) => {
    const topic = await kafkaTopic(1, { 'max.message.bytes': 20_000 })
    const sink = await kafkaTo(t, shared, topic, { transactionalId })
    await sink.begin()
    const events = eventsIn(5, 100).map((event, n) => (n === 52 ? { ...event, payload: Buffer.alloc(30_000, 'x') } : event))
    const bad = events[52]
    const ends = await sink.deliver(events, never())
    for (const [n, end] of ends.entries()) {
      const expected = n === 52 ? 'refused' : n > 52 && events[n]?.lane === bad?.lane ? 'retryable' : 'delivered'
      if (end.kind !== expected) t.fail(`event ${n}: ${end.kind}, not ${expected}`)
    }
    const again = events.filter((_, n) => ends[n]?.kind === 'retryable')
    t.equal(again.length, 9)
    t.strictSame(await sink.deliver(again, never()), again.map(() => DELIVERED))
    const seen = await readTopic(shared, topic, 'read_committed')
    t.strictSame(seen.map(({ headers }) => headers['ce_id'] ?? '').toSorted(), events.filter((event) => event !== bad).map(({ id }) => id))
    t.match(await sink.deliver([events[52] ?? bad].filter((event) => event !== undefined), never()), [{ kind: 'refused', reason: /MESSAGE_TOO_LARGE/ }], 'it is not taken for one that was published')
  })
}

test('a topic that is not there is the sink\'s fault', async (t) => {
  const sink = await kafkaTo(t, shared, 'nowhere')
  t.match(await sink.deliver(eventsIn(2, 2), never()), [{ kind: 'retryable', blame: 'sink', cause: /UNKNOWN_TOPIC/ }, { kind: 'retryable', blame: 'sink' }])
  const transactional = await kafkaTo(t, shared, 'nowhere', { transactionalId: 'lost', timeoutMs: 2000 })
  t.match(await transactional.deliver(eventsIn(1, 1), never()), [{ kind: 'retryable', blame: 'sink', cause: /not begun/ }])
})

test('an answer that is lost is asked for again under the same numbers, and nothing stands there twice', async (t) => {
  const { relay, broker } = await relayed(t)
  for (const transactionalId of [null, 'repeats']) {
    const topic = await broker.topic(3)
    const sink = await kafkaTo(t, { host: '127.0.0.1', port: relay.port }, topic, { transactionalId })
    await sink.begin()
    const events = eventsIn(20, 300)
    relay.drop(API.produce, 2)
    t.strictSame(await sink.deliver(events.slice(0, 200), never()), events.slice(0, 200).map(() => DELIVERED))
    t.strictSame(await sink.deliver(events.slice(200), never()), events.slice(200).map(() => DELIVERED))
    t.strictSame((await readTopic(broker, topic, 'read_committed')).map(({ headers }) => headers['ce_id'] ?? '').toSorted(), events.map(({ id }) => id))
  }
})

test('a batch in doubt is never followed by another under its numbers', async (t) => {
  const { relay, broker } = await relayed(t)
  const topic = await broker.topic(1)
  const sink = await kafkaTo(t, { host: '127.0.0.1', port: relay.port }, topic, { timeoutMs: 600 })
  await sink.begin()
  const [first, second] = [eventsIn(1, 10), eventsIn(1, 10)]
  relay.drop(API.produce, 1000)
  for (const end of await sink.deliver(first, never())) t.match(end, { kind: 'retryable' })
  relay.drop(API.produce, 0)
  t.strictSame(await sink.deliver(second, never()), second.map(() => DELIVERED))
  const ids = (await readTopic(broker, topic, 'read_committed')).map(({ headers }) => headers['ce_id'])
  t.ok(second.every(({ id }) => ids.includes(id)), 'the broker did not take the second for a repetition of the first')
})

test('what was refused at the door of the broker names no password', async (t) => {
  const sink = await kafkaTo(t, shared, 'anything', { sasl: { mechanism: 'PLAIN', username: 'relay', password: 'secret-word' }, timeoutMs: 2000 })
  const [end] = await sink.deliver(eventsIn(1, 1), never())
  t.match(end, { kind: 'retryable', blame: 'sink' })
  t.notMatch(JSON.stringify(end), /secret-word/)
  await t.rejects(sink.begin(), /^the sink payments cannot begin: no connection/)
})

async function relayed(t: Pick<typeof import('tap').t, 'teardown'>): Promise<{ relay: Awaited<ReturnType<typeof startKafkaRelay>>, broker: KafkaBroker }> {
  const relay = await startKafkaRelay(() => broker.relayedPort)
  const broker: KafkaBroker = await startKafka(t, { advertise: relay.port })
  t.teardown(() => relay.close())
  return { relay, broker }
}
