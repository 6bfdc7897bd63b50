import { sha256 } from '../core/digest.ts'
import type { Clock, Wakeups } from '../core/ports.ts'

/** Each ring is a notice to every process of the fleet; a relay that is woken 20 times a second is never late by more than 50 ms. */
const APART_MS = 50

/**
 * Tells the relays of all processes that a sink has events, in the words that waiters for keys are told by: an id that no key can
 * have stands for the sink. It may lose a word like those (a poll stands behind it), but of many rings in a row the last one is heard.
 */
export class Bell {
  readonly #wakeups: Wakeups
  readonly #clock: Clock
  /** sinks that were rung for a moment ago, with whether they were again since then */
  readonly #resting = new Map<string, { again: boolean, readonly cancel: () => void }>()

  constructor(wakeups: Wakeups, clock: Clock) {
    this.#wakeups = wakeups
    this.#clock = clock
  }

  ring(sink: string): void {
    const resting = this.#resting.get(sink)
    if (resting !== undefined) {
      resting.again = true
      return
    }
    this.#resting.set(sink, { again: false, cancel: this.#clock.after(APART_MS, () => this.#rested(sink)) })
    this.#wakeups.publish([bellOf(sink)])
  }

  /** `wake` is called for every ring until the returned function is called. */
  hear(sink: string, wake: () => void): () => void {
    return this.#wakeups.wait(bellOf(sink), wake)
  }

  /** A leader is gone by its own will: those who follow need not wait for its lease. */
  ringVacant(sink: string): void {
    this.#wakeups.publish([bellOf(sink, 'vacant')])
  }

  hearVacant(sink: string, wake: () => void): () => void {
    return this.#wakeups.wait(bellOf(sink, 'vacant'), wake)
  }

  /** Says what is still to be said, and nothing later. */
  stop(): void {
    for (const [sink, { again, cancel }] of this.#resting) {
      cancel()
      if (again) this.#wakeups.publish([bellOf(sink)])
    }
    this.#resting.clear()
  }

  #rested(sink: string): void {
    const again = this.#resting.get(sink)?.again === true
    this.#resting.delete(sink)
    if (again) this.ring(sink)
  }
}

/** In the form of a key's id. */
function bellOf(sink: string, what: 'events' | 'vacant' = 'events'): string {
  return sha256(what === 'events' ? `outbox:${sink}` : `outbox-vacant:${sink}`)
}
