import { resolve as resolvePath } from 'node:path'
import type { Config } from './config/config.ts'
import type { Clock, Journal, KeyStore, Random, Wakeups } from './core/ports.ts'
import { LocalWakeups } from './store/local-wakeups.ts'

export interface StoreParts {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** those of a Redis or of a test, which come before any other */
  readonly wakeups: Wakeups | null
}

export interface OpenedStore {
  readonly authority: KeyStore
  readonly wakeups: Wakeups
}

/** The authority over keys that is configured, and what tells waiters. Only what is configured is loaded. */
export async function openStore(config: Pick<Config, 'store'>, { clock, random, journal, wakeups: given }: StoreParts): Promise<OpenedStore> {
  const { postgres, dataDir } = config.store
  if (postgres === null) {
    const { openEmbeddedStore } = await import('./store/sqlite/key-store.ts')
    const wakeups = given ?? new LocalWakeups()
    return { authority: await openEmbeddedStore({ dataDir: resolvePath(dataDir), clock, wakeups }), wakeups }
  }
  const [{ openPostgresStore }, { PostgresWakeups }] = await Promise.all([import('./store/postgres/key-store.ts'), import('./store/postgres/wakeups.ts')])
  // Without named statements there is a pooler in between, behind which LISTEN means nothing: then the waiters' polls remain.
  const wakeups = given ?? (postgres.prepare ? new PostgresWakeups({ ...postgres, clock, random, journal }) : new LocalWakeups())
  return { authority: await openPostgresStore({ ...postgres, clock, random, journal, wakeups }), wakeups }
}
