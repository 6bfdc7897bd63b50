import { performance } from 'node:perf_hooks'
import type { Clock } from '../core/ports.ts'
import { DelayQueue } from './delay-queue.ts'

/** For people: `2026-03-01T12:00:00.000Z`. */
export function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString()
}

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
      let queue = queues.get(delayMs)
      if (queue === undefined) queues.set(delayMs, queue = new DelayQueue(delayMs, () => queues.delete(delayMs)))
      return queue.add(task)
    },
  }
}
