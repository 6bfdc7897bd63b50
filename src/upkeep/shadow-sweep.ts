import { StoreUnavailable, type Clock, type Journal } from '../core/ports.ts'
import type { ShadowStore } from '../core/shadow.ts'
import { Rounds } from './rounds.ts'

/** A note past its retention counts as gone, so this may lag behind. */
const EVERY_MS = 60_000
const BATCH = 500

/** Deletes what shadowed routes have noted and nobody needs any more; also where no route is shadowed any longer. */
export class ShadowSweep {
  readonly #store: Pick<ShadowStore, 'sweepShadow'>
  readonly #journal: Pick<Journal, 'warn'>
  readonly #rounds: Rounds

  constructor(store: Pick<ShadowStore, 'sweepShadow'>, clock: Clock, journal: Pick<Journal, 'warn'>) {
    this.#store = store
    this.#journal = journal
    this.#rounds = new Rounds(clock, () => EVERY_MS, () => this.runOnce())
  }

  start(): void {
    this.#rounds.start()
  }

  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** Batches until nothing is left; an outage of the store ends it early and is told to the journal. */
  async runOnce(): Promise<number> {
    let deleted = 0
    try {
      for (let some = BATCH; some === BATCH && !this.#rounds.stopped; deleted += some) some = await this.#store.sweepShadow(BATCH)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#journal.warn('upkeep.interrupted', { error: error.message })
    }
    return deleted
  }
}
