import { StoreUnavailable, type Clock, type Journal, type KeyStore, type Random } from '../core/ports.ts'
import type { Doubt, Rest } from '../core/record.ts'
import { Rounds } from './rounds.ts'

/** A doubt waits some seconds for its first question, and processes that started together do not ask together. */
const EVERY_MS = 5_000
/** Given to one process at a time, so that no key is asked about by all of a fleet; an old one that nobody can clear, ever more rarely. */
const REST: Rest = { shortestMs: 15_000, longestMs: 3_600_000 }
/** Of one round, so that a process which dies takes few of them along into their rest. */
const BATCH = 32
/** Questions that are out at one time, out of a backlog that may be any size: some 20 a second against an upstream that answers in 50 ms. */
const AT_ONCE = 4
/** The longest pause of one asker between two questions. */
const PACE_MS = 300

export interface DoubtSweepDependencies {
  readonly store: Pick<KeyStore, 'doubts'>
  readonly clock: Clock
  readonly random: Random
  readonly journal: Pick<Journal, 'info' | 'warn'>
  /** false while no route has a probe: then there is nothing to look for */
  readonly wanted: () => boolean
  /** asks the upstream once; `knownAt` is the monotonic instant at which the doubt was as old as it says */
  readonly inquire: (doubt: Doubt & { readonly knownAt: number }) => Promise<'resolved' | 'unclear'>
}

/** Resolves doubts that nobody asks about: what a process that died left behind, and what its own request could not clear. */
export class DoubtSweep {
  readonly #deps: DoubtSweepDependencies
  readonly #rounds: Rounds

  constructor(deps: DoubtSweepDependencies) {
    this.#deps = deps
    this.#rounds = new Rounds(deps.clock, () => EVERY_MS * (0.5 + deps.random.uniform()), () => this.runOnce())
  }

  start(): void {
    this.#rounds.start()
  }

  /** Questions that are out end by themselves, or are ended by whoever stops everything. */
  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  /** Batches until there is nothing more to ask about now. */
  async runOnce(): Promise<{ readonly asked: number, readonly resolved: number }> {
    const { store, clock, journal } = this.#deps
    const done = { asked: 0, resolved: 0 }
    if (!this.#deps.wanted()) return done
    try {
      for (let given = BATCH; given === BATCH && !this.#rounds.stopped;) {
        const doubts = await store.doubts(BATCH, REST)
        given = doubts.length
        const knownAt = clock.monotonicMs()
        const left = doubts.map((doubt) => ({ ...doubt, knownAt }))
        await Promise.all(Array.from({ length: AT_ONCE }, () => this.#askAbout(left, done)))
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      journal.warn('upkeep.interrupted', { error: error.message })
    }
    if (done.asked > 0) journal.info('upkeep.doubts-asked', { ...done })
    return done
  }

  /** One asker of several: takes what is left, one by one. */
  async #askAbout(left: (Doubt & { readonly knownAt: number })[], done: { asked: number, resolved: number }): Promise<void> {
    const { clock, random, inquire } = this.#deps
    for (let doubt = left.shift(); doubt !== undefined && !this.#rounds.stopped; doubt = left.shift()) {
      await new Promise<void>((resolve) => { clock.after(random.uniform() * PACE_MS, resolve) })
      if (this.#rounds.stopped) return
      done.asked += 1
      if (await inquire(doubt) === 'resolved') done.resolved += 1
    }
  }
}
