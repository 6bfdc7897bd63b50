import { join } from 'node:path'
import { systemClock } from '../../src/host/clock.ts'
import { systemRandom } from '../../src/host/random.ts'
import { migrate } from '../../src/store/postgres/migrate.ts'
import { comparePeaks } from './peaks.ts'
import { pairsPerSecond, valuesOfARecord } from './pgbench.ts'
import { startProduct } from './product.ts'
import { loadCase, type Case, type Course } from './rounds.ts'
import type { Scene, Target } from './scene.ts'
import type { Server } from './servers.ts'
import { YARDSTICK, type Bar } from './table.ts'

export const NEW_KEY = 'new key, Postgres'
const ONE_EACH = 'one INSERT, one UPDATE each'
const PGBENCH = 'pgbench -c 32, the same two'

export const POSTGRES_BARS: Readonly<Record<string, readonly Bar[]>> = {
  [NEW_KEY]: [
    { kind: 'cpu', of: YARDSTICK, atMost: 1.15 },
    { kind: 'throughput', of: PGBENCH, atLeast: 0.7 },
  ],
}

const PGBENCH_CLIENTS = 32
/** Of the peak of single statements. */
const LEAST_PEAK = 2.5

export interface PostgresCases {
  readonly cases: readonly Case[]
  /** the product whose new keys are measured */
  readonly product: Target
  /** of its database */
  readonly url: string
  /** says what it and single statements carry at most; false if that is too little */
  peaks(course: Course): Promise<boolean>
}

/** New keys with the product, with its store replaced by single statements, and with no product at all; a database each. */
export async function postgresCases(scene: Scene, upstream: Target, { postgres }: Server): Promise<PostgresCases> {
  const url = await postgres.createDatabase()
  const product = await startProduct(scene, { upstream, name: 'postgres', store: { postgres: url } })
  const oneEach = await startProduct(scene, { upstream, name: 'one-each', store: { postgres: await postgres.createDatabase() }, program: join(import.meta.dirname, 'one-each/onceward.ts') })
  const tables = await emptyTables(postgres)
  const byItself: Case = {
    name: PGBENCH,
    async round(_label, ms) {
      const { perSecond, averageMs } = await pairsPerSecond(tables, await valuesOfARecord(url), PGBENCH_CLIENTS, ms)
      return { perSecond, cpuUs: null, p50: averageMs, p99: null, failed: 0 }
    },
  }
  const peaks = (course: Course): Promise<boolean> => comparePeaks({ name: NEW_KEY, target: product }, { name: ONE_EACH, target: oneEach }, LEAST_PEAK, course)
  return { product, url, peaks, cases: [loadCase(NEW_KEY, product, 'new'), loadCase(ONE_EACH, oneEach, 'new'), byItself] }
}

/** A database with the product's tables. */
export async function emptyTables(postgres: Server['postgres']): Promise<string> {
  const url = await postgres.createDatabase()
  await migrate({ url, schema: 'onceward', partitions: 1, clock: systemClock(), random: systemRandom(), journal: { info: () => undefined } })
  return url
}
