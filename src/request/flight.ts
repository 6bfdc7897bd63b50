import type { Fingerprint } from '../core/fingerprint.ts'
import type { KeyId } from '../core/record.ts'
import type { Answer } from './call.ts'

interface Duplicates {
  readonly claimed: PromiseWithResolvers<boolean>
  readonly ended: PromiseWithResolvers<Answer>
}

/**
 * A request of this process that asks for, or holds, the claim of a key. Duplicates that arrive meanwhile are
 * compared and told here and spare the store; across processes the claim itself decides.
 *
 * Nearly every flight ends without a duplicate: what only they need is made when the first one asks, and an answer that
 * nobody waits for is not kept.
 */
export class Flight {
  readonly fingerprint: Fingerprint
  /** of the credential that it flies for; see `Known` */
  readonly witness: string | null
  operationRef: string | null = null
  #claimed: boolean | null = null
  #duplicates: Duplicates | null = null

  constructor(fingerprint: Fingerprint, witness: string | null) {
    this.fingerprint = fingerprint
    this.witness = witness
  }

  /** true once the claim is ours; false if it led elsewhere (a replay, a mismatch, no store). To be asked while the flight is listed. */
  get claimed(): Promise<boolean> {
    return this.#asked().claimed.promise
  }

  /** what a duplicate is told after the settle; never before it */
  get ended(): Promise<Answer> {
    return this.#asked().ended.promise
  }

  sayClaimed(operationRef: string): void {
    this.operationRef = operationRef
    this.#claimed ??= true
    this.#duplicates?.claimed.resolve(true)
  }

  /** Ends the flight for all who wait. A flight that never held the claim only says so. */
  end(answer: Answer): void {
    this.#claimed ??= false
    this.#duplicates?.claimed.resolve(false)
    this.#duplicates?.ended.resolve(answer)
  }

  #asked(): Duplicates {
    if (this.#duplicates === null) {
      this.#duplicates = { claimed: Promise.withResolvers(), ended: Promise.withResolvers() }
      if (this.#claimed !== null) this.#duplicates.claimed.resolve(this.#claimed)
    }
    return this.#duplicates
  }
}

export type Flights = Map<KeyId, Flight>
