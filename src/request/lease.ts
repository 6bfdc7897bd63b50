import type { Clock, Journal, KeyStore } from '../core/ports.ts'
import { Roster, type Place } from '../core/roster.ts'
import type { Claim } from '../core/record.ts'

/** A held claim. `trusted()`: may an attempt still start? Nobody can have taken over before this turns false. */
export interface Lease {
  trusted(): boolean
  drop(): void
}

/** The renewal comes after a third of the lease, so that two can fail before the trust ends. */
const RENEW_AFTER = 1 / 3

/** What a claim's answer may have been delayed by, on top of the lease: taken off the holder's own trust. */
const MARGIN = 1 / 10

/** How often due renewals are looked for; a request that ends sooner never costs one. */
const TICK_MS = 500

interface Held {
  readonly claim: Claim
  readonly leaseMs: number
  /** monotonic instant at which the last successful claim or renewal was issued: the store counted later */
  issuedAt: number
  renewalOut: boolean
  place: Place<Held> | null
}

/**
 * Keeps the leases of all claims of this process: one timer, and one statement for all renewals that are due. The
 * store's clock decides when a lease ended; the local, monotonic one only bounds how long a holder trusts its last
 * success.
 */
export class LeaseKeeper {
  readonly #held = new Roster<Held>()
  readonly #store: KeyStore
  readonly #clock: Clock
  readonly #journal: Journal
  #cancelTick: (() => void) | null = null

  constructor(store: KeyStore, clock: Clock, journal: Journal) {
    this.#store = store
    this.#clock = clock
    this.#journal = journal
  }

  keep(claim: Claim, leaseMs: number, issuedAt: number): Lease {
    const held: Held = { claim, leaseMs, issuedAt, renewalOut: false, place: null }
    held.place = this.#held.enter(held)
    this.#tickLater()
    return {
      trusted: () => held.place !== null && this.#clock.monotonicMs() < held.issuedAt + leaseMs * (1 - MARGIN),
      drop: () => this.#drop(held),
    }
  }

  /** Renews what is due and says how many that were; the timer calls it, and tests. */
  async runOnce(): Promise<number> {
    const now = this.#clock.monotonicMs()
    const due = [...this.#held].filter((held) => !held.renewalOut && now >= held.issuedAt + held.leaseMs * RENEW_AFTER)
    if (due.length === 0) return 0
    for (const held of due) held.renewalOut = true
    try {
      const outcomes = await this.#store.renew(due)
      for (const [i, held] of due.entries()) {
        if (outcomes[i] === 'written') held.issuedAt = now
        else this.#drop(held) // superseded: the attempt goes on, its settle will learn it
      }
    } catch (error) {
      this.#journal.warn('lease.renewal-failed', { claims: due.length, error: error instanceof Error ? error.message : 'unknown' })
    } finally {
      for (const held of due) held.renewalOut = false
    }
    return due.length
  }

  stop(): void {
    this.#cancelTick?.()
    this.#cancelTick = null
  }

  #drop(held: Held): void {
    if (held.place !== null) this.#held.leave(held.place)
    held.place = null
  }

  #tickLater(): void {
    this.#cancelTick ??= this.#clock.after(TICK_MS, () => {
      this.#cancelTick = null
      void this.runOnce()
      if (this.#held.size > 0) this.#tickLater()
    })
  }
}
