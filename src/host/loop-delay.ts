import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { LoopDelay } from '../core/ports.ts'

/** How often the loop is asked to be on time; a finer grain would wake an idle process for nothing. */
const RESOLUTION_MS = 50

/** A second is short enough to turn the next requests away, and long enough that one pause is not a trend. */
const WINDOW_MS = 1000

/**
 * The event loop's delay, averaged over the last full second without its worst turn. A single pause (a large
 * collection, a process that was stopped and continued) is over when it is seen, and turning requests away after it
 * would help nobody; a loop that cannot keep up is late in every turn.
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
    if (this.#histogram.count < 2) return // the loop was held up all the time: the next second is judged along with this one
    this.#recentMs = usualDelayMs(this.#histogram)
    this.#histogram.reset()
  }
}

/** Of two samples or more, in nanoseconds: node counts the whole time between two of its timers, which on an idle loop is the resolution. */
export function usualDelayMs({ count, mean, max }: { readonly count: number, readonly mean: number, readonly max: number }): number {
  return Math.max(0, (mean * count - max) / (count - 1) / 1e6 - RESOLUTION_MS)
}
