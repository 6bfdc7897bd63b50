import { StoreUnavailable, type Clock, type Journal, type KeyStore, type Meter } from '../core/ports.ts'
import { Rounds } from './rounds.ts'

/** Ended leases become doubts within a minute, so that the gauge shows those that nobody asks about. */
const EVERY_MS = 10_000
const BATCH = 500

/** Sweeping may lag behind without harm: a record past its retention counts as gone. */
const SWEEP_EVERY_MS = 30_000

/** Upkeep over the store: reaps ended leases, sweeps ended retentions, takes the census. */
export class Upkeep {
  readonly #store: KeyStore
  readonly #clock: Clock
  readonly #meter: Meter
  readonly #journal: Journal
  readonly #rounds: Rounds
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(store: KeyStore, clock: Clock, meter: Meter, journal: Journal) {
    this.#store = store
    this.#clock = clock
    this.#meter = meter
    this.#journal = journal
    this.#rounds = new Rounds(clock, () => EVERY_MS, () => this.runOnce())
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** One round; an outage of the store ends it early and is told to the journal. */
  async runOnce(): Promise<{ readonly orphaned: number, readonly deleted: number }> {
    const done = { orphaned: 0, deleted: 0 }
    try {
      done.orphaned = await batches(async () => (await this.#store.reap(BATCH)).orphaned)
      if (this.#clock.monotonicMs() >= this.#sweptAt + SWEEP_EVERY_MS) {
        done.deleted = await batches(async () => (await this.#store.sweep(BATCH)).deleted)
        this.#sweptAt = this.#clock.monotonicMs()
      }
      this.#meter.census(await this.#store.census())
      if (done.orphaned > 0) this.#journal.warn('upkeep.doubts', { orphaned: done.orphaned })
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#journal.warn('upkeep.interrupted', { error: error.message })
    }
    return done
  }
}

async function batches(step: () => Promise<number>): Promise<number> {
  let all = 0
  for (;;) {
    const some = await step()
    all += some
    if (some < BATCH) return all
  }
}
