import t from 'tap'
import { startKafkaRelay } from '../support/kafka-relay.ts'
import { needs } from '../support/services/needs.ts'
import { readTopic } from '../support/services/kafka-client.ts'
import { startKafka, type KafkaBroker } from '../support/services/kafka.ts'
import { kafkaTo } from '../sink/kafka-situation.ts'
import { sinkContract } from './sink.ts'

needs(t, 'kafka')

const relay = await startKafkaRelay(() => broker.relayedPort)
const broker: KafkaBroker = await startKafka(t, { advertise: relay.port })
t.teardown(() => relay.close())
let ids = 0

for (const transactional of [false, true]) {
  t.test(transactional ? 'in transactions' : 'numbered', async (t) => {
    sinkContract(t, {
      async open(t, timeoutMs) {
        relay.mode = 'pass'
        ids += 1
        const topic = await broker.topic(3)
        const sink = await kafkaTo(t, { host: '127.0.0.1', port: relay.port }, topic, { timeoutMs, transactionalId: transactional ? `relay-${ids}` : null })
        return {
          sink,
          async arrivals(count) {
            for (;;) {
              const seen = await readTopic(broker, topic, 'read_committed')
              if (seen.length >= count) return seen.map(({ headers, key, value }) => ({ id: headers['ce_id'] ?? '', lane: key, body: value }))
              await new Promise((resolve) => { setTimeout(resolve, 20) })
            }
          },
          async shut() { relay.mode = 'refuse' },
          async silence() { relay.mode = 'swallow' },
          tooLarge: 1_100_000,
          secrets: [],
        }
      },
    })
  })
}
