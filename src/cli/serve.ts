import { pino } from 'pino'
import { startSidecar, type Sidecar } from '../compose.ts'
import type { Config } from '../config/config.ts'
import { fileOf, loadFrom } from '../config/load.ts'
import { formatMistake } from '../config/mistakes.ts'
import type { Environment } from '../config/substitute.ts'
import { digestOf, FileWatch } from '../config/watch.ts'
import { systemClock } from '../host/clock.ts'
import { onReloadSignals, onStopSignals } from '../host/signals.ts'
import { LineBuffer } from '../telemetry/line-buffer.ts'
import { PrettyLines } from '../telemetry/pretty-lines.ts'
import type { Flags } from './arguments.ts'
import { EXIT, type Output } from './output.ts'

/** Runs the sidecar until a signal drains it; see EXIT for how the process ends. */
export async function serve(flags: Flags, environment: Environment, output: Output): Promise<void> {
  const file = fileOf(flags, environment)
  const digest = file === undefined ? null : await digestOf(file)
  const loaded = await loadFrom(flags, environment)
  if (loaded.kind === 'faulty') {
    for (const mistake of loaded.mistakes) output.complaint(formatMistake(mistake))
    process.exitCode = EXIT.config
    return
  }
  const objection = unfit(loaded.config, environment)
  if (objection !== null) {
    output.complaint(`onceward: ${objection}`)
    process.exitCode = EXIT.config
    return
  }
  const sidecar = await run(loaded.config, output)
  if (sidecar === null) return
  const reload = (): void => void sidecar.reload(() => loadFrom(flags, environment))
  onReloadSignals(reload)
  if (file !== undefined) await new FileWatch({ file, digest, clock: systemClock(), changed: reload }).start()
}

async function run(config: Config, output: Output): Promise<Sidecar | null> {
  const standardOutput = pino.destination({ fd: 1, sync: false })
  standardOutput.on('error', () => undefined) // a closed stdout must not end the sidecar
  const log = new LineBuffer(standardOutput, systemClock())
  const leave = (code: number): void => {
    try {
      log.flushSync()
    } finally {
      process.exit(code)
    }
  }
  try {
    const sidecar = await startSidecar(config, isForPeople(config.log.format) ? new PrettyLines(log, process.stdout.isTTY && process.env['NO_COLOR'] === undefined) : log)
    onStopSignals(() => void sidecar.stop().then(() => leave(EXIT.ok)), () => leave(EXIT.cutShort))
    return sidecar
  } catch (error) {
    output.complaint(`onceward could not start: ${error instanceof Error ? error.message : String(error)}`)
    leave(EXIT.unavailable)
    return null
  }
}

function isForPeople(format: Config['log']['format']): boolean {
  switch (format) {
    case 'auto': return process.stdout.isTTY
    case 'pretty': return true
    case 'json': return false
    default: return format satisfies never
  }
}

/** Pods come in numbers and lose their disks; the embedded store is for exactly one process on a lasting one. */
function unfit(config: Config, environment: Environment): string | null {
  if (environment['KUBERNETES_SERVICE_HOST'] === undefined || config.store.postgres !== null || config.store.embedded === 'single-instance') return null
  return 'in Kubernetes the embedded store is refused: keys belong into Postgres (`store: { postgres: ... }`), unless the configuration says `store: { embedded: single-instance }`: one replica, no surge, and a data_dir on a persistent volume'
}
