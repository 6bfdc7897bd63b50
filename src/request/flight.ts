import type { Fingerprint } from '../core/fingerprint.ts'
import type { KeyId } from '../core/record.ts'
import type { Answer } from './call.ts'

/** `claimed`: the claim is ours. `following`: some other process has it. `hung`: the store took too long over it. `elsewhere`: a replay, a mismatch, no store. */
export type FlightStart = 'claimed' | 'following' | 'hung' | 'elsewhere'

/**
 * A request of this process that asks for, or holds, the claim of a key. Duplicates that arrive meanwhile are
 * compared and told here and spare the store; across processes the claim itself decides.
 */
export class Flight {
  readonly fingerprint: Fingerprint
  /** of the credential that it flies for; see `Known` */
  readonly witness: string | null
  operationRef: string | null = null
  readonly start: Promise<FlightStart>
  /** what a duplicate is told after the settle; never before it */
  readonly ended: Promise<Answer>
  #sayStart!: (start: FlightStart) => void
  #sayEnded!: (answer: Answer) => void

  constructor(fingerprint: Fingerprint, witness: string | null) {
    this.fingerprint = fingerprint
    this.witness = witness
    this.start = new Promise((resolve) => { this.#sayStart = resolve })
    this.ended = new Promise((resolve) => { this.#sayEnded = resolve })
  }

  /** null: it is sent unprotected, and what it keeps back are the duplicates of this process alone */
  sayClaimed(operationRef: string | null): void {
    this.operationRef = operationRef
    this.#sayStart('claimed')
  }

  /** Another process holds the key, and this one waits for it. */
  sayFollowing(operationRef: string | null): void {
    this.operationRef = operationRef
    this.#sayStart('following')
  }

  /** Whoever waits for this claim's result must not wait longer, nor each for one of its own. */
  sayHung(): void {
    this.#sayStart('hung')
  }

  /** Ends the flight for all who wait. A flight that never held the claim only says so. */
  end(answer: Answer): void {
    this.#sayStart('elsewhere')
    this.#sayEnded(answer)
  }
}

export type Flights = Map<KeyId, Flight>
