import { addOffsetsToTxnV3, addPartitionsToTxnV3, Connection, endTxnV3, findCoordinatorV3, initProducerIdV4, NumericMap, produceV9, txnOffsetCommitV3 } from '@platformatic/kafka'
import { test } from 'tap'
import t from 'tap'
import { readTopic } from '../support/services/kafka-client.ts'
import { startKafka } from '../support/services/kafka.ts'
import { needs } from '../support/services/needs.ts'
import { encodeNote } from '../../src/sink/kafka/published.ts'
import { DELIVERED, eventsIn, kafkaTo, never } from './kafka-situation.ts'

needs(t, 'kafka')

// A broker that lets records in behind the end of their transaction: what one of Kafka 4.3 leaves that forgot the markers (KAFKA-20734).
const broker = await startKafka(t, { settings: { 'transaction.partition.verification.enable': 'false' } })
const connection = new Connection('earlier')
await connection.connect(broker.host, broker.port)
t.teardown(() => connection.close())

/** An earlier relay's transaction, of one event, that the coordinator calls complete and the partitions do not. */
async function hang(topic: string, id: string, committed: boolean): Promise<ReturnType<typeof eventsIn>> {
  const group = 'onceward-relay-payments-0'
  // asking for them makes the coordinators' topics
  await again(() => findCoordinatorV3.api.async(connection, 1, [id]))
  await again(() => findCoordinatorV3.api.async(connection, 0, [group]))
  const { producerId, producerEpoch } = await again(() => initProducerIdV4.api.async(connection, id, 60_000))
  await again(() => addPartitionsToTxnV3.api.async(connection, [{ transactionalId: id, producerId, producerEpoch, verifyOnly: false, topics: [{ name: topic, partitions: [0] }] }]))
  await again(() => addOffsetsToTxnV3.api.async(connection, id, producerId, producerEpoch, group))
  await again(() => endTxnV3.api.async(connection, id, producerId, producerEpoch, committed))
  await new Promise((resolve) => { setTimeout(resolve, 500) })
  const events = eventsIn(1, 1)
  const records = events.map((event) => ({ topic, partition: 0, timestamp: 0n, key: Buffer.from(event.lane), value: Buffer.from('{}'), headers: new Map([[Buffer.from('ce_id'), Buffer.from(event.id)]]) }))
  await produceV9.api.async(connection, -1, 5000, records, { transactionalId: id, producerId, producerEpoch, sequences: new NumericMap([[`${topic}:0`, 0]]) })
  await again(() => txnOffsetCommitV3.api.async(connection, id, group, producerId, producerEpoch, -1, '', null,
    [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 0n, committedLeaderEpoch: -1, committedMetadata: encodeNote(events, 0) }] }]))
  return events
}

async function again<R>(ask: () => Promise<R>): Promise<R> {
  for (let left = 100; ; left -= 1) {
    try {
      return await ask()
    } catch (error) {
      if (left === 0) throw error
      await new Promise((resolve) => { setTimeout(resolve, 50) })
    }
  }
}

for (const committed of [true, false]) {
  test(`what an earlier relay ${committed ? 'committed' : 'aborted'} and the partitions never heard of, they hear from the next`, async (t) => {
    const topic = await broker.topic(1)
    const events = await hang(topic, `hung-${committed}`, committed)
    const sink = await kafkaTo(t, broker, topic, { transactionalId: `hung-${committed}`, timeoutMs: 10_000 })
    await sink.begin()
    const further = eventsIn(1, 3)
    t.strictSame(await sink.deliver([...events, ...further], never()), [...events, ...further].map(() => DELIVERED))
    const ids = (await readTopic(broker, topic, 'read_committed')).map(({ headers }) => headers['ce_id'])
    t.strictSame(ids, [...events, ...further].map(({ id }) => id))
  })
}

test('a transaction that hangs and of which nobody knows whether it was committed is left alone', async (t) => {
  const topic = await broker.topic(1)
  await hang(topic, 'unknown', true)
  await again(() => initProducerIdV4.api.async(connection, 'unknown', 60_000))
  const sink = await kafkaTo(t, broker, topic, { transactionalId: 'unknown', timeoutMs: 3000 })
  await t.rejects(sink.begin(), { message: /UNSTABLE_OFFSET_COMMIT: a transaction hangs/ })
  await t.rejects(sink.begin(), { message: /UNSTABLE_OFFSET_COMMIT: a transaction hangs/ })
})
