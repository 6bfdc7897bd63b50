import { setFlagsFromString } from 'node:v8'
import { Pool } from 'pg'
import { pino } from 'pino'
import { startSidecar } from '../../../src/compose.ts'
import { loadFrom } from '../../../src/config/load.ts'
import { systemClock } from '../../../src/host/clock.ts'
import { onStopSignals } from '../../../src/host/signals.ts'
import { LineBuffer } from '../../../src/telemetry/line-buffer.ts'
import { oneEach } from './store.ts'

/** The product in every respect but its store; see store.ts. argv: --config FILE, with a Postgres in it. */

/** As many as pgbench has clients. */
const CONNECTIONS = 32

setFlagsFromString('--no-parallel-scavenge') // as in src/onceward.js
const loaded = await loadFrom({ config: process.argv[3] ?? '' }, process.env)
if (loaded.kind === 'faulty' || loaded.config.store.postgres === null) throw new Error('a configuration with store.postgres is needed')
const pool = new Pool({ connectionString: loaded.config.store.postgres.url, max: CONNECTIONS })
pool.on('error', () => undefined)
const log = new LineBuffer(pino.destination({ fd: 1, sync: false }), systemClock())
const sidecar = await startSidecar(loaded.config, log, { store: (authority) => oneEach(authority, pool) })
onStopSignals(() => void sidecar.stop().then(() => process.exit(0)), () => process.exit(1))
