import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { LoopDelay } from '../core/ports.ts'

/** How often the loop is asked to be on time; a finer grain would wake an idle process for nothing. */
const RESOLUTION_MS = 50

/** A second is short enough to turn the next requests away, and long enough that one pause is not a trend. */
const WINDOW_MS = 1000

/**
 * The event loop's delay, averaged over the last full second. The mean and not a high percentile: a single pause (a
 * large collection, a slow start) is over when it is seen, and turning requests away after it would help nobody.
 */
export class SystemLoopDelay implements LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #window: NodeJS.Timeout | null = null
  #recentMs = 0

  start(): void {
    if (this.#window !== null) return
    this.#histogram.enable()
    this.#window = setInterval(() => this.#turn(), WINDOW_MS).unref()
  }

  stop(): void {
    if (this.#window !== null) clearInterval(this.#window)
    this.#window = null
    this.#histogram.disable()
  }

  recentMs(): number {
    return this.#recentMs
  }

  #turn(): void {
    if (this.#histogram.count === 0) return // blocked so long that only this timer has fired: the delay is in the next window
    // node counts the whole time between two of its timers, which on an idle loop is the resolution.
    this.#recentMs = Math.max(0, this.#histogram.mean / 1e6 - RESOLUTION_MS)
    this.#histogram.reset()
  }
}
