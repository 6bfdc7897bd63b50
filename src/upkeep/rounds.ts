import type { Clock } from '../core/ports.ts'

/** Work that comes round again: one round at a time, each a pause after the one before. Started and stopped any number of times, and over once stopped. */
export class Rounds {
  readonly #clock: Clock
  readonly #pauseMs: () => number
  readonly #round: () => Promise<unknown>
  #cancel: (() => void) | null = null
  #running: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(clock: Clock, pauseMs: () => number, round: () => Promise<unknown>) {
    this.#clock = clock
    this.#pauseMs = pauseMs
    this.#round = round
  }

  /** A round that is under way may look, to end early. */
  get stopped(): boolean {
    return this.#stopped
  }

  start(): void {
    if (this.#cancel !== null || this.#stopped) return
    this.#cancel = this.#clock.after(this.#pauseMs(), () => {
      this.#cancel = null
      this.#running = this.#round().finally(() => this.start())
    })
  }

  /** Resolves when the round that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = null
    await this.#running
  }
}
