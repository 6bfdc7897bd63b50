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

/**
 * SIGHUP, which would end a process that does not expect it, means "read your configuration again". One that comes
 * before there is anything to reload is dropped: the file is compared with what was read as soon as it is watched.
 */
export function expectReloadSignals(): void {
  process.on('SIGHUP', () => undefined)
}

export function onReloadSignals(reload: () => void): void {
  process.on('SIGHUP', reload)
}
