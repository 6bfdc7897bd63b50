import type { SinkCensus } from '../core/outbox.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import type { Clock } from '../core/ports.ts'

/** Scrapers that come more often see the same figures. */
const FRESH_MS = 1000
/** A scrape has no longer patience: then it sees none, which is an alert's business. */
const WITHIN_MS = 1000

/** The outbox's census for whoever asks, at most once a second and one at a time; null when the store does not say in time. */
export class CensusReading {
  readonly #store: Pick<OutboxStore, 'census'>
  readonly #sinks: () => readonly string[]
  readonly #clock: Clock
  #readAtMs = Number.NEGATIVE_INFINITY
  #reading: Promise<readonly SinkCensus[] | null> = Promise.resolve(null)
  #out = false

  constructor(store: Pick<OutboxStore, 'census'>, sinks: () => readonly string[], clock: Clock) {
    this.#store = store
    this.#sinks = sinks
    this.#clock = clock
  }

  read(): Promise<readonly SinkCensus[] | null> {
    const now = this.#clock.monotonicMs()
    if (this.#out || now < this.#readAtMs + FRESH_MS) return this.#reading
    this.#readAtMs = now
    this.#reading = this.#readNow()
    return this.#reading
  }

  async #readNow(): Promise<readonly SinkCensus[] | null> {
    this.#out = true
    const counted = this.#store.census(this.#sinks()).catch(() => null).finally(() => { this.#out = false })
    let cancel: () => void = () => undefined
    const late = new Promise<null>((resolve) => { cancel = this.#clock.after(WITHIN_MS, () => resolve(null)) })
    try {
      return await Promise.race([counted, late])
    } finally {
      cancel()
    }
  }
}
