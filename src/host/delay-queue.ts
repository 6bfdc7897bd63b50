import { performance } from 'node:perf_hooks'
import { Roster } from '../core/roster.ts'

interface Due {
  readonly atMs: number
  readonly task: () => void
}

/** node's timers count whole milliseconds, and may come this much before the time that `performance.now` says. */
const EARLY_MS = 1

/** What node's timers can count to; they run at once with anything above. */
export const LONGEST_MS = 2 ** 31 - 1

/**
 * All that waits for the same time span: who came first falls due first, so one of node's timers does for all of them. Each
 * request sets four bounds that it nearly always keeps, and a timer of its own for each cost a new key 1 us of CPU.
 */
export class DelayQueue {
  readonly #delayMs: number
  readonly #emptied: () => void
  readonly #waiting = new Roster<Due>()
  #timer: NodeJS.Timeout | null = null

  /** `emptied` is called when nothing waits and no timer is set any more; the queue may be used again. */
  constructor(delayMs: number, emptied: () => void) {
    this.#delayMs = delayMs
    this.#emptied = emptied
  }

  /** Returns what cancels it. Keeps the process alive until then. */
  add(task: () => void): () => void {
    const place = this.#waiting.enter({ atMs: performance.now() + this.#delayMs, task })
    if (this.#timer === null) this.#timer = this.#runAfter(this.#delayMs)
    else if (this.#waiting.size === 1) this.#timer.ref()
    return () => {
      this.#waiting.leave(place)
      // Left to run out: to clear it and set it anew is what this saves.
      if (this.#waiting.size === 0) this.#timer?.unref()
    }
  }

  #runAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#run(), Math.min(ms, LONGEST_MS))
  }

  #run(): void {
    this.#timer = null
    try {
      // Not those that tasks add: with a delay of nothing there would be no end.
      for (let left = this.#waiting.size; left > 0; left -= 1) this.#next()?.task()
    } finally {
      const first = this.#waiting.first
      if (first !== null) this.#timer ??= this.#runAfter(first.atMs - performance.now())
      else if (this.#timer === null) this.#emptied()
    }
  }

  #next(): Due | null {
    const first = this.#waiting.first
    return first !== null && first.atMs <= performance.now() + EARLY_MS ? this.#waiting.shift() : null
  }
}
