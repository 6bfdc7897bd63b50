import type { Clock } from '../core/ports.ts'

/*
 * The published keys of one issuer, as this process knows them:
 *
 *     (none) --read--> fresh --10 min--> aging (used, and read again beside it) --12 h--> (none)
 *       ^                ^--------- a token names a key that is not there: read again ------'
 *       '-- a failed read changes nothing but the time of the next one
 *
 * However many requests ask, at most one read is under way, and between two reads there is a pause: nobody can make us
 * hammer an issuer by inventing names of keys.
 */

/** How long a key that the issuer took away is still good here, while the issuer answers. */
const REFRESH_AFTER_MS = 10 * 60_000

/** While the issuer does not answer, keys that were good stay good: an outage of a night is no reason to refuse every request, and one of a day is no outage. */
const LONGEST_USE_MS = 12 * 3600_000

/** Between two reads that went well: how long a key that was not announced takes to be known here at most. */
const PAUSE_MS = 30_000

/** After a read that failed. */
const PAUSE_AFTER_FAILURE_MS = 5_000

/** Keys that were read; another object after every read. */
export type Renewed<Keys> =
  | { readonly kind: 'newer', readonly keys: Keys }
  /** read a moment ago, and that is all there is */
  | { readonly kind: 'same' }
  | { readonly kind: 'unavailable' }

export class KeySet<Keys> {
  readonly #read: () => Promise<Keys>
  readonly #clock: Clock
  readonly #onFailure: (error: unknown) => void
  #held: { readonly keys: Keys, readonly readAtMs: number } | null = null
  #lastFailed = false
  #pauseEndsMs = -Infinity
  #reading: Promise<void> | null = null

  /** `read` rejects when there are no keys to be had; each failure is told to `onFailure` once. */
  constructor(read: () => Promise<Keys>, clock: Clock, onFailure: (error: unknown) => void) {
    this.#read = read
    this.#clock = clock
    this.#onFailure = onFailure
  }

  /** The keys to verify with, or null if there are none to be had. */
  async current(): Promise<Keys | null> {
    if (this.#ageMs() >= LONGEST_USE_MS) await this.#renew()
    else if (this.#ageMs() >= REFRESH_AFTER_MS) void this.#renew()
    return this.#ageMs() < LONGEST_USE_MS ? this.#held?.keys ?? null : null
  }

  /** What there is beyond `known`, which had no key that fits. */
  async beyond(known: Keys): Promise<Renewed<Keys>> {
    if (this.#held?.keys === known) await this.#renew()
    if (this.#held !== null && this.#held.keys !== known) return { kind: 'newer', keys: this.#held.keys }
    return this.#lastFailed ? { kind: 'unavailable' } : { kind: 'same' }
  }

  /** How long until asking again can lead to something else. */
  get pauseMs(): number {
    return Math.max(0, this.#pauseEndsMs - this.#clock.monotonicMs())
  }

  #ageMs(): number {
    return this.#held === null ? Infinity : this.#clock.monotonicMs() - this.#held.readAtMs
  }

  /** Joins the read that is under way; during a pause it does nothing. Never rejects. */
  #renew(): Promise<void> {
    if (this.#reading === null && this.pauseMs > 0) return Promise.resolve()
    return this.#reading ??= this.#readOnce().finally(() => { this.#reading = null })
  }

  async #readOnce(): Promise<void> {
    try {
      const keys = await this.#read()
      this.#held = { keys, readAtMs: this.#clock.monotonicMs() }
      this.#lastFailed = false
    } catch (error) {
      this.#lastFailed = true
      this.#onFailure(error)
    }
    this.#pauseEndsMs = this.#clock.monotonicMs() + (this.#lastFailed ? PAUSE_AFTER_FAILURE_MS : PAUSE_MS)
  }
}
