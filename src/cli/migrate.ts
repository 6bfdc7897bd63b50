import { loadFrom } from '../config/load.ts'
import { formatMistake } from '../config/mistakes.ts'
import type { Environment } from '../config/substitute.ts'
import { systemClock } from '../host/clock.ts'
import { systemRandom } from '../host/random.ts'
import type { Flags } from './arguments.ts'
import { EXIT, type Output } from './output.ts'

/** Makes the tables in the configured Postgres, or brings them up to this version. Returns the exit code. */
export async function migrateStore(flags: Flags, environment: Environment, output: Output): Promise<number> {
  const loaded = await loadFrom(flags, environment)
  if (loaded.kind === 'faulty') {
    for (const mistake of loaded.mistakes) output.complaint(formatMistake(mistake))
    return EXIT.config
  }
  const { postgres } = loaded.config.store
  if (postgres === null) {
    output.complaint('onceward: there is no store.postgres, and the embedded store migrates itself when it is opened')
    return EXIT.config
  }
  const { migrate } = await import('../store/postgres/migrate.ts')
  try {
    const done = await migrate({ ...postgres, clock: systemClock(), random: systemRandom(), journal: { info: () => undefined } })
    output.line(done.length === 0 ? `the schema ${postgres.schema} is up to date` : `the schema ${postgres.schema} now has ${done.join(', ')}`)
    return EXIT.ok
  } catch (error) {
    output.complaint(`onceward could not migrate: ${error instanceof Error ? error.message : String(error)}`)
    return EXIT.unavailable
  }
}
