import { StoreUnavailable, type Clock, type Random } from '../core/ports.ts'
import type { EventEnd } from '../core/outbox.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import type { Term } from './term.ts'

/** The pause before a settle that the store did not answer is repeated; jittered. */
const AGAIN_MS = 200
/** Hands of one statement, each with the ends of one call of one lane. */
const AT_ONCE = 500

export interface SettlingDependencies {
  readonly store: Pick<OutboxStore, 'settle'>
  readonly clock: Clock
  readonly random: Pick<Random, 'uniform'>
}

interface Handed {
  /** asked for when they are written: a failure may have become the sink's in the meantime */
  readonly ends: () => readonly EventEnd[]
  readonly done: (written: boolean) => void
  readonly fail: (defect: unknown) => void
}

/**
 * Writes down what became of events, for as long as the term lasts: one statement at a time, with all that came while the one
 * before was out. What the store may or may not have written is written again (rows that are gone are passed over); when the
 * lead is lost it is dropped, and the next leader sends those events again under the same ids.
 */
export class Settling {
  readonly #term: Term
  readonly #deps: SettlingDependencies
  #handed: Handed[] = []
  #writing = false

  constructor(term: Term, deps: SettlingDependencies) {
    this.#term = term
    this.#deps = deps
  }

  /** False: they are not ours to settle any more. */
  settle(ends: () => readonly EventEnd[]): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#handed.push({ ends, done: resolve, fail: reject })
      if (!this.#writing) void this.#write()
    })
  }

  async #write(): Promise<void> {
    this.#writing = true
    await Promise.resolve() // those that end in the same turn go along
    while (this.#handed.length > 0) {
      const batch = this.#handed.splice(0, AT_ONCE)
      try {
        const written = await this.#written(batch.flatMap((handed) => handed.ends()))
        for (const { done } of batch) done(written)
      } catch (defect) {
        for (const { fail } of batch) fail(defect)
      }
    }
    this.#writing = false
  }

  async #written(ends: readonly EventEnd[]): Promise<boolean> {
    const { store, clock, random } = this.#deps
    while (this.#term.trusted) {
      try {
        const outcome = await store.settle(this.#term.lead, ends)
        if (outcome === 'fenced') this.#term.end('superseded')
        return outcome === 'written'
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        await new Promise<void>((resolve) => { clock.after(AGAIN_MS * (0.5 + random.uniform()), resolve) })
      }
    }
    return false
  }
}
