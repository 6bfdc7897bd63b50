import type { Delivery, Outgoing } from '../../core/delivery.ts'
import type { Patience } from './patience.ts'
import { failureOf, lostTo, produce, type Identity, type ProduceContext } from './produce.ts'

/** Kafka wants a time here, and looks at it in transactions only. */
const NO_TRANSACTION_MS = 0

/**
 * The idempotent producer: an identity that lasts until a batch is in doubt, and numbers by which a broker knows a batch that
 * comes a second time. A new identity knows nothing of what the one before sent: then an event may come twice, under one id.
 */
export class NumberedProducer {
  readonly #context: ProduceContext
  #identity: Identity | null = null

  constructor(context: ProduceContext) {
    this.#context = context
  }

  async begin(patience: Patience): Promise<void> {
    this.#identity = await this.#anew(patience)
  }

  /** One delivery for each event, by its row. Never rejects. */
  async deliver(events: readonly Outgoing[], patience: Patience): Promise<Map<number, Delivery>> {
    try {
      this.#identity ??= await this.#anew(patience)
      const ends = await produce(this.#context, this.#identity, events, patience)
      if (this.#identity.spoiled) this.#identity = null
      return ends
    } catch (error) {
      const failure = failureOf(error)
      return new Map(events.map(({ row }) => [row, lostTo(failure)]))
    }
  }

  async #anew(patience: Patience): Promise<Identity> {
    const { cluster } = this.#context
    const { producerId, producerEpoch } = await cluster.repeated(false, patience, () => cluster.requestAny(patience, cluster.library.initProducerIdV4.api, null, NO_TRANSACTION_MS))
    return { id: producerId, epoch: producerEpoch, sequences: new Map(), spoiled: false }
  }
}
