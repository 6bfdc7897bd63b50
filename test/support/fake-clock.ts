import type { Clock } from '../../src/core/ports.ts'

interface Timer {
  readonly atMs: number
  readonly task: () => void
}

/** A clock that stands still until `advance` moves it; timers run in order, in the caller's turn. */
export class FakeClock implements Clock {
  #nowMs: number
  #timers: Timer[] = []

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
    this.#timers.push(timer)
    return () => { this.#timers = this.#timers.filter((other) => other !== timer) }
  }

  /** Moves time on, running what falls due on the way; between two timers pending promises get their turns. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.task()
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    this.#nowMs = endMs
    await new Promise((resolve) => { setImmediate(resolve) })
  }
}
