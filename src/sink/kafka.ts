import type { Delivery, Outgoing, SinkShape } from '../core/delivery.ts'
import type { Sink } from '../core/outbox-ports.ts'
import type { Clock } from '../core/ports.ts'
import type { KafkaSettings } from '../core/sink-settings.ts'
import { Cluster, type Library } from './kafka/cluster.ts'
import { KafkaFailure } from './kafka/failure.ts'
import { NumberedProducer } from './kafka/numbered.ts'
import { Patience } from './kafka/patience.ts'
import { failureOf, lostTo } from './kafka/produce.ts'
import { TransactionalProducer } from './kafka/transactions.ts'

/*
 * Events as records of a Kafka topic: the key is the lane, the value the CloudEvent, the header ce_id the event's id. Without a
 * transactional id an event may stand there more than once, under one id; with one, readers of committed records see it once.
 */

/** A batch of one partition fits into what a topic takes by default (1 MiB), with keys and headers. */
const SHAPE: SinkShape = { events: 1000, perLane: 1000, bytes: 786_432 }

interface Producer {
  begin(patience: Patience): Promise<void>
  deliver(events: readonly Outgoing[], patience: Patience): Promise<Map<number, Delivery>>
}

/** Rejects if the library that speaks Kafka's protocol is not installed. */
export async function openKafkaSink(name: string, settings: KafkaSettings, deps: { readonly clock: Clock }): Promise<Sink> {
  return new KafkaSink(name, settings, await loadLibrary(name), deps.clock)
}

async function loadLibrary(name: string): Promise<Library> {
  try {
    return await import('@platformatic/kafka')
  } catch (error) {
    throw new Error(`the sink ${name} needs the package @platformatic/kafka, which is not installed: npm install @platformatic/kafka`, { cause: error })
  }
}

class KafkaSink implements Sink {
  readonly name: string
  readonly kind = 'kafka'
  readonly shape = SHAPE
  /** A second call beside the first could overtake it: the numbers of its batches are those behind the first one's. */
  readonly atOnce = 1
  /** The notes of transactions are overwritten in turn. */
  readonly settledFirst: boolean
  readonly #cluster: Cluster
  readonly #producer: Producer
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #closed = new AbortController()

  constructor(name: string, settings: KafkaSettings, library: Library, clock: Clock) {
    const { topic, timeoutMs, transactionalId } = settings
    this.name = name
    this.settledFirst = transactionalId !== null
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#cluster = new Cluster(library, settings, clock)
    const context = { cluster: this.#cluster, clock, topic, timeoutMs }
    this.#producer = transactionalId === null ? new NumberedProducer({ ...context, transactionalId }) : new TransactionalProducer({ ...context, transactionalId, sink: name })
  }

  async begin(): Promise<void> {
    const patience = new Patience(this.#clock, this.#timeoutMs, [this.#closed.signal])
    try {
      await this.#producer.begin(patience)
    } catch (error) {
      throw new Error(`the sink ${this.name} cannot begin: ${failureOf(error).message}`, { cause: error })
    } finally {
      patience.done()
    }
  }

  async deliver(batch: readonly Outgoing[], signal: AbortSignal): Promise<readonly Delivery[]> {
    const givenUp = lostTo(new KafkaFailure('silent', 'given up'), 'unknown')
    if (batch.length === 0 || signal.aborted || this.#closed.signal.aborted) return batch.map(() => givenUp)
    const patience = new Patience(this.#clock, this.#timeoutMs, [signal, this.#closed.signal])
    try {
      const ends = await this.#producer.deliver(batch, patience)
      return batch.map(({ row }) => ends.get(row) ?? givenUp)
    } finally {
      patience.done()
    }
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#cluster.close()
  }
}
