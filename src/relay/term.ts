import type { Clock, Random } from '../core/ports.ts'
import type { Lead } from '../core/outbox.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'

/*
 * One term of leadership of a sink. The store's clock decides when a lease has ended; ours, the monotonic one, only bounds how
 * long the last success is trusted: from the instant at which it was asked for (the store counted later), for the lease less a
 * margin. So a leader has stopped by itself before anybody else can begin, however late the news of it comes:
 *
 *     lead() granted --> trusted --renewed at a third of the lease--> trusted
 *                           '--no success until the trust ends, or another one leads--> over, for good
 *
 * Past the end no delivery starts, those under way are ended, and nothing is settled any more.
 */

/** So that two renewals can fail before the trust ends. */
const RENEW_AFTER = 1 / 3
/** What is taken off the lease: for clocks of different speed, and for what a process needs to end what it does. */
const MARGIN = 1 / 10
/** The pause after a renewal that failed, as a part of the lease; jittered. */
const AGAIN_AFTER = 1 / 20

/** `defect`: something failed that never should */
export type TermEnd = 'expired' | 'superseded' | 'stopped' | 'defect'

export interface TermDependencies {
  readonly store: Pick<OutboxStore, 'lead'>
  readonly clock: Clock
  readonly random: Pick<Random, 'uniform'>
  readonly leaseMs: number
}

export class Term {
  readonly lead: Lead
  /** resolves when this term is over */
  readonly over: Promise<TermEnd>
  readonly #deps: TermDependencies
  readonly #abort = new AbortController()
  readonly #overs = Promise.withResolvers<TermEnd>()
  #trustedUntilMs = 0
  #ended = false
  #cancelEnd: () => void = () => undefined
  #cancelRenewal: () => void = () => undefined

  /** `issuedAtMs`: the monotonic instant at which the leadership was asked for. */
  constructor(lead: Lead, issuedAtMs: number, deps: TermDependencies) {
    this.lead = lead
    this.over = this.#overs.promise
    this.#deps = deps
    this.#trust(issuedAtMs)
  }

  /** Asked right before everything that only a leader may do; a timer alone would be as late as the turns before it are long. */
  get trusted(): boolean {
    if (!this.#ended && this.#deps.clock.monotonicMs() >= this.#trustedUntilMs) this.end('expired')
    return !this.#ended
  }

  /** Aborted when the term is over. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  end(why: TermEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#cancelEnd()
    this.#cancelRenewal()
    this.#abort.abort(new Error(`the leadership is over: ${why}`))
    this.#overs.resolve(why)
  }

  #trust(issuedAtMs: number): void {
    const { clock, leaseMs } = this.#deps
    const now = clock.monotonicMs()
    this.#trustedUntilMs = issuedAtMs + leaseMs * (1 - MARGIN)
    this.#cancelEnd()
    this.#cancelEnd = clock.after(Math.max(0, this.#trustedUntilMs - now), () => { void this.trusted })
    this.#renewAfter(Math.max(0, issuedAtMs + leaseMs * RENEW_AFTER - now))
  }

  #renewAfter(ms: number): void {
    this.#cancelRenewal()
    this.#cancelRenewal = this.#deps.clock.after(ms, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const { store, clock, random, leaseMs } = this.#deps
    const issuedAtMs = clock.monotonicMs()
    try {
      const leadership = await store.lead(this.lead.sink, this.lead.holder, leaseMs)
      if (!this.trusted) return // an answer that comes too late means nothing: others may have led in between
      // another fence means just that, even if the lease is ours again
      if (leadership.kind === 'leading' && leadership.lead.fence === this.lead.fence) this.#trust(issuedAtMs)
      else this.end('superseded')
    } catch {
      // whatever it was: without a success the trust ends by itself, and who asks for the next term hears of it
      if (this.trusted) this.#renewAfter(leaseMs * AGAIN_AFTER * (0.5 + random.uniform()))
    }
  }
}
