import type { Clock } from '../core/ports.ts'

/** Wakes the one who waits. A nudge that comes while nobody does is kept, so that none falls between a look and the wait after it. */
export class Nudge {
  readonly #clock: Clock
  #kept = false
  #wake: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  nudge(): void {
    if (this.#wake === null) this.#kept = true
    else this.#wake()
  }

  /** Resolves with the next nudge, or after `ms`; Infinity waits for the nudge alone. */
  wait(ms: number): Promise<void> {
    if (this.#kept) {
      this.#kept = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        this.#wake = null
        resolve()
      }
      const cancel = Number.isFinite(ms) ? this.#clock.after(ms, wake) : () => undefined
      this.#wake = wake
    })
  }
}
