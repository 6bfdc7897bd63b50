import { pino } from 'pino'
import { startSidecar } from '../compose.ts'
import type { Config } from '../config/schema.ts'
import { onStopSignals } from '../host/signals.ts'

/** Lines wait for this many bytes, so that a busy sidecar does not make a system call for each. */
const LOG_BUFFER_BYTES = 4096
const LOG_FLUSH_MS = 200

/** sysexits.h: EX_UNAVAILABLE, for a start that failed; EX_CONFIG is 78. */
const UNAVAILABLE = 69

/** Runs the sidecar until a signal drains it. Exit codes: 0 drained, 1 cut short by a second signal, 69 not started. */
export async function serve(config: Config): Promise<void> {
  const log = pino.destination({ fd: 1, sync: false, minLength: LOG_BUFFER_BYTES, periodicFlush: LOG_FLUSH_MS })
  log.on('error', () => undefined) // a closed stdout must not end the sidecar
  try {
    const sidecar = await startSidecar(config, log)
    onStopSignals(
      () => void sidecar.stop().then(() => leave(log, 0)),
      () => leave(log, 1),
    )
  } catch (error) {
    process.stderr.write(`onceward could not start: ${error instanceof Error ? error.message : String(error)}\n`)
    leave(log, UNAVAILABLE)
  }
}

function leave(log: { flushSync(): void }, code: number): void {
  try {
    log.flushSync()
  } finally {
    process.exit(code)
  }
}
