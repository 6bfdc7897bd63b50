import { StoreUnavailable, type Clock, type KeyStore, type Random, type Wakeups } from '../core/ports.ts'
import type { KeyId, KeyRecord } from '../core/record.ts'

/*
 * Waiting for records that other processes hold. However many wait for one operation, it is flagged once, subscribed
 * to once, and looked at once per word:
 *
 *     subscribe --> flag --settled--------------------> look --> tell all who wait
 *                     '-----flagged--> word or poll -----^
 *
 * Subscribed before it is flagged, so that no word falls between the two. A word that comes during a look means one
 * more look: the one that is out may have read before the settle. Words may get lost, so a poll stands behind them.
 */

/** What a look saw. `unavailable`: nothing; the next look may. */
export type Sight = KeyRecord | 'gone' | 'unavailable'

export interface Watcher {
  see(sight: Sight): void
  /** a defect, not an outage */
  fail(error: unknown): void
}

export interface WatchDependencies {
  readonly store: Pick<KeyStore, 'find' | 'flag'>
  /** null: nobody tells us anything, so the poll is all there is */
  readonly wakeups: Wakeups | null
  readonly clock: Clock
  readonly random: Random
}

/** The wait before the first look by itself, and the longest between two; each is drawn between half of it and one and a half. */
const ALONE = { firstMs: 200, longestMs: 1000 } as const
/** Words do the work; these looks only bound what a lost one, or a holder that died, costs. */
const BEHIND_WORDS = { firstMs: 1000, longestMs: 4000 } as const
/** Who begins to wait for what was last looked at longer ago than this has it looked at again: the word may have been lost, and the next poll may be later than he waits. */
const OLD_SIGHT_MS = 1000

interface Watched {
  readonly id: KeyId
  readonly watchers: Set<Watcher>
  unsubscribe: () => void
  cancelPoll: () => void
  flagged: boolean
  attending: boolean
  /** a word came meanwhile */
  again: boolean
  polls: number
  /** monotonic: when it was last looked at, or begun to be watched */
  lookedAt: number
  /** it waits for its execution: nobody says a word of it before that has begun */
  queued: boolean
}

type Reason = 'begin' | 'word' | 'poll' | 'late'

export class Watch {
  /** by operation: another one under the same key is not what these wait for */
  readonly #watched = new Map<string, Watched>()
  readonly #deps: WatchDependencies

  constructor(deps: WatchDependencies) {
    this.#deps = deps
  }

  /** Tells `watcher` every sight of the record, and of what stands in its place, until the returned function is called. Never in the caller's turn. */
  on(id: KeyId, operationRef: string, watcher: Watcher): () => void {
    const watched = this.#watched.get(operationRef) ?? this.#begin(id, operationRef)
    watched.watchers.add(watcher)
    if (this.#deps.clock.monotonicMs() - watched.lookedAt > OLD_SIGHT_MS && !watched.attending) void this.#attend(watched, operationRef, 'late')
    return () => {
      watched.watchers.delete(watcher)
      if (watched.watchers.size === 0 && !watched.attending) this.#end(watched, operationRef)
    }
  }

  /** Somebody of this process knows that there is something new to see: a word that costs nothing. */
  poke(operationRef: string): void {
    const watched = this.#watched.get(operationRef)
    if (watched !== undefined) void this.#attend(watched, operationRef, 'word')
  }

  /** How many records are watched. */
  get size(): number {
    return this.#watched.size
  }

  /** Tells all who wait that there is nothing more to see here. */
  stop(): void {
    for (const [operationRef, watched] of [...this.#watched]) {
      for (const watcher of [...watched.watchers]) watcher.see('gone')
      this.#end(watched, operationRef)
    }
  }

  #begin(id: KeyId, operationRef: string): Watched {
    const watched: Watched = { id, watchers: new Set(), unsubscribe: nothing, cancelPoll: nothing, flagged: false, attending: false, again: false, polls: 0, lookedAt: this.#deps.clock.monotonicMs(), queued: false }
    this.#watched.set(operationRef, watched)
    watched.unsubscribe = this.#deps.wakeups?.wait(id, () => void this.#attend(watched, operationRef, 'word')) ?? nothing
    void this.#attend(watched, operationRef, 'begin')
    return watched
  }

  #end(watched: Watched, operationRef: string): void {
    watched.unsubscribe()
    watched.cancelPoll()
    if (this.#watched.get(operationRef) === watched) this.#watched.delete(operationRef)
  }

  /** One at a time per record. */
  async #attend(watched: Watched, operationRef: string, reason: Reason): Promise<void> {
    if (reason === 'word') watched.flagged = false // the store says it once per flag
    if (watched.attending) {
      watched.again = true
      return
    }
    watched.attending = true
    watched.cancelPoll()
    try {
      const inFlight = reason !== 'word' && await this.#isInFlight(watched)
      let due = watched.again || reason !== 'begin' || !inFlight
      while (due && watched.watchers.size > 0) {
        watched.again = false
        watched.lookedAt = this.#deps.clock.monotonicMs()
        const sight = await this.#look(watched.id)
        watched.queued = typeof sight === 'object' && sight.state === 'accepted'
        for (const watcher of [...watched.watchers]) watcher.see(sight)
        due = watched.again
      }
    } catch (error) {
      for (const watcher of [...watched.watchers]) watcher.fail(error)
    } finally {
      watched.attending = false
      watched.again = false
      if (watched.watchers.size === 0) this.#end(watched, operationRef)
      else this.#pollLater(watched, operationRef)
    }
  }

  /** Flags the record, if there is anybody to tell of it. True if nothing has to be looked at yet. */
  async #isInFlight(watched: Watched): Promise<boolean> {
    if (this.#deps.wakeups === null || watched.flagged) return true
    try {
      watched.flagged = await this.#deps.store.flag(watched.id) === 'flagged'
      return watched.flagged
    } catch (error) {
      if (error instanceof StoreUnavailable) return true
      throw error
    }
  }

  async #look(id: KeyId): Promise<Sight> {
    try {
      const [found] = await this.#deps.store.find({ id }, 1)
      return found ?? 'gone'
    } catch (error) {
      if (error instanceof StoreUnavailable) return 'unavailable'
      throw error
    }
  }

  #pollLater(watched: Watched, operationRef: string): void {
    const { firstMs, longestMs } = this.#deps.wakeups === null || watched.queued ? ALONE : BEHIND_WORDS
    const meanMs = Math.min(longestMs, firstMs * 2 ** watched.polls)
    watched.polls += 1
    watched.cancelPoll = this.#deps.clock.after(meanMs * (0.5 + this.#deps.random.uniform()), () => void this.#attend(watched, operationRef, 'poll'))
  }
}

function nothing(): void {
  // there is nothing to take back
}
