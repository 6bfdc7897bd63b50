import { setFlagsFromString } from 'node:v8'
import { pino } from 'pino'
import { startSidecar } from '../../../src/compose.ts'
import { loadFrom } from '../../../src/config/load.ts'
import { systemClock } from '../../../src/host/clock.ts'
import { onStopSignals } from '../../../src/host/signals.ts'
import { LineBuffer } from '../../../src/telemetry/line-buffer.ts'
import { Metrics } from '../../../src/telemetry/metrics.ts'

/** The product in every respect but that it counts nothing; the log is off by its configuration. argv: --config FILE */

/** What is asked when it starts, not when it counts. */
const KEPT = new Set(['constructor', 'routes', 'render', 'observe', 'observeEach'])

setFlagsFromString('--no-parallel-scavenge') // as in src/onceward.js
for (const name of Object.getOwnPropertyNames(Metrics.prototype)) {
  const method = Object.getOwnPropertyDescriptor(Metrics.prototype, name)
  if (!KEPT.has(name) && typeof method?.value === 'function') Object.defineProperty(Metrics.prototype, name, { ...method, value: () => undefined })
}
const loaded = await loadFrom({ config: process.argv[3] ?? '' }, process.env)
if (loaded.kind === 'faulty') throw new Error('a configuration is needed')
// to standard output whatever the level: who waits for the start reads `sidecar.ready` there
const log = new LineBuffer(pino.destination({ fd: 1, sync: false }), systemClock())
const sidecar = await startSidecar(loaded.config, log)
pino(log).info({ address: sidecar.address, admin: sidecar.adminAddress }, 'sidecar.ready')
onStopSignals(() => void sidecar.stop().then(() => process.exit(0)), () => process.exit(1))
