import { performance } from 'node:perf_hooks'
import type { Clock } from '../core/ports.ts'
import { DelayQueue, LONGEST_MS } from './delay-queue.ts'

/**
 * The process's clock. Its wall time is anchored at the start and then follows the monotonic clock: somebody who
 * sets the machine's clock forward by three days must not end three days of retention, and back by an hour must not
 * stretch every lease. A restart takes the machine's word anew.
 */
export function systemClock(): Clock {
  const startedAtMs = Date.now() - performance.now()
  const queues = new Map<number, DelayQueue>()
  return {
    wallMs: () => Math.floor(startedAtMs + performance.now()),
    monotonicMs: () => performance.now(),
    after(delayMs, task) {
      if (!Number.isInteger(delayMs) && delayMs < LONGEST_MS) return once(delayMs, task)
      let queue = queues.get(delayMs)
      if (queue === undefined) queues.set(delayMs, queue = new DelayQueue(delayMs, () => queues.delete(delayMs)))
      return queue.add(task)
    },
  }
}

/**
 * A time span that was configured is in whole milliseconds and comes again; one that was drawn, or is what is left of another, has
 * a fraction and does not. A queue of its own would keep its timer until it runs out, thousands of them beside a busy database.
 */
function once(delayMs: number, task: () => void): () => void {
  const timer = setTimeout(task, delayMs)
  return () => clearTimeout(timer)
}
