import { performance } from 'node:perf_hooks'

/** Under npm a terminal's Ctrl-C arrives twice, from the terminal and from npm: one intention. */
const SAME_INTENTION_MS = 1000

/** Runs `drain` on the first SIGTERM or SIGINT and `leave` on the next one that is meant as such. */
export function onStopSignals(drain: (signal: string) => void, leave: (signal: string) => void): void {
  let firstAt: number | undefined
  const heard = (signal: string): void => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      drain(signal)
    } else if (now - firstAt >= SAME_INTENTION_MS) {
      leave(signal)
    }
  }
  process.on('SIGTERM', heard)
  process.on('SIGINT', heard)
}
