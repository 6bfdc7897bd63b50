import type { Clock } from '../../src/core/ports.ts'

interface Timer {
  readonly atMs: number
  readonly task: () => void
}

/** A clock that stands still until `advance` moves it; timers run in order, in the caller's turn. */
export class FakeClock implements Clock {
  #nowMs: number
  readonly #timers = new Set<Timer>()

  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, task }
    this.#timers.add(timer)
    return () => { this.#timers.delete(timer) }
  }

  /** Time has passed, and no timer has run yet: a process that was stopped and continued. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  /** Moves time on, running what falls due on the way; between two timers pending promises get their turns. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      const next = this.#first(endMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.task()
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    this.#nowMs = endMs
    await new Promise((resolve) => { setImmediate(resolve) })
  }

  /** The earliest, and of those the one that was set first. */
  #first(endMs: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (timer.atMs <= endMs && (first === undefined || timer.atMs < first.atMs)) first = timer
    return first
  }
}
