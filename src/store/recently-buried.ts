import type { Clock } from '../core/ports.ts'
import type { KeyId } from '../core/record.ts'

/** As long as an entry of the reply memory lives: what was read before the burial is gone everywhere after it. */
const REMEMBERED_FOR_MS = 60_000

/** An operator's work is a few ids; somebody's script may bury many. The oldest go first, and fall back to the 60 s. */
const MOST_IDS = 10_000

/**
 * Ids of which this process has heard that their reply is dropped. A reply that was read from the authority before that and
 * arrives after it is not remembered.
 */
export class RecentlyBuried {
  readonly #until = new Map<KeyId, number>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(id: KeyId): void {
    this.#until.delete(id)
    this.#until.set(id, this.#clock.monotonicMs() + REMEMBERED_FOR_MS)
    for (const [oldest, until] of this.#until) {
      if (this.#until.size <= MOST_IDS && until > this.#clock.monotonicMs()) break
      this.#until.delete(oldest)
    }
  }

  has(id: KeyId): boolean {
    if (this.#until.size === 0) return false
    const until = this.#until.get(id)
    return until !== undefined && until > this.#clock.monotonicMs()
  }
}
