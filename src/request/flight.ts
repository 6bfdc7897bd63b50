import type { Fingerprint } from '../core/fingerprint.ts'
import type { KeyId } from '../core/record.ts'
import type { Answer } from './call.ts'

/**
 * A request of this process that asks for, or holds, the claim of a key. Duplicates that arrive meanwhile are
 * compared and told here and spare the store; across processes the claim itself decides.
 */
export class Flight {
  readonly fingerprint: Fingerprint
  /** of the credential that it flies for; see `Known` */
  readonly witness: string | null
  operationRef: string | null = null
  /** true once the claim is ours; false if it led elsewhere (a replay, a mismatch, no store) */
  readonly claimed: Promise<boolean>
  /** what a duplicate is told after the settle; never before it */
  readonly ended: Promise<Answer>
  #sayClaimed!: (claimed: boolean) => void
  #sayEnded!: (answer: Answer) => void

  constructor(fingerprint: Fingerprint, witness: string | null) {
    this.fingerprint = fingerprint
    this.witness = witness
    this.claimed = new Promise((resolve) => { this.#sayClaimed = resolve })
    this.ended = new Promise((resolve) => { this.#sayEnded = resolve })
  }

  sayClaimed(operationRef: string): void {
    this.operationRef = operationRef
    this.#sayClaimed(true)
  }

  /** Ends the flight for all who wait. A flight that never held the claim only says so. */
  end(answer: Answer): void {
    this.#sayClaimed(false)
    this.#sayEnded(answer)
  }
}

export type Flights = Map<KeyId, Flight>
