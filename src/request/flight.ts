import type { Fingerprint } from '../core/fingerprint.ts'
import type { KeyId } from '../core/record.ts'
import type { Answer } from './call.ts'

/** `claimed`: the claim is ours. `following`: some other process has it. `hung`: the store took too long over it. `elsewhere`: a replay, a mismatch, no store. */
export type FlightStart = 'claimed' | 'following' | 'hung' | 'elsewhere'

interface Duplicates {
  readonly start: PromiseWithResolvers<FlightStart>
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
  #start: FlightStart | null = null
  #duplicates: Duplicates | null = null

  constructor(fingerprint: Fingerprint, witness: string | null) {
    this.fingerprint = fingerprint
    this.witness = witness
  }

  /** How it began; to be asked while the flight is listed, and before `ended`. */
  get start(): Promise<FlightStart> {
    return this.#asked().start.promise
  }

  /** what a duplicate is told after the settle; never before it */
  get ended(): Promise<Answer> {
    return this.#asked().ended.promise
  }

  /** null: it is sent unprotected, and what it keeps back are the duplicates of this process alone */
  sayClaimed(operationRef: string | null): void {
    this.operationRef = operationRef
    this.#say('claimed')
  }

  /** Another process holds the key, and this one waits for it. */
  sayFollowing(operationRef: string | null): void {
    this.operationRef = operationRef
    this.#say('following')
  }

  /** Whoever waits for this claim's result must not wait longer, nor each for one of its own. */
  sayHung(): void {
    this.#say('hung')
  }

  /** Ends the flight for all who wait, and asks for their answer only if there is anybody. A flight that never held the claim only says so. */
  end(answer: () => Answer): void {
    this.#say('elsewhere')
    this.#duplicates?.ended.resolve(answer())
  }

  /** The first word counts. */
  #say(start: FlightStart): void {
    this.#start ??= start
    this.#duplicates?.start.resolve(start)
  }

  #asked(): Duplicates {
    if (this.#duplicates !== null) return this.#duplicates
    const duplicates: Duplicates = { start: Promise.withResolvers(), ended: Promise.withResolvers() }
    if (this.#start !== null) duplicates.start.resolve(this.#start)
    this.#duplicates = duplicates
    return duplicates
  }
}

export type Flights = Map<KeyId, Flight>
