import { resolve as resolvePath } from 'node:path'
import type { Stores } from './core/outbox-ports.ts'
import type { KeyStore, Wakeups } from './core/ports.ts'
import type { ShadowStore } from './core/shadow.ts'
import { LocalWakeups } from './store/local-wakeups.ts'
import { openTiers, type Surroundings, type Tiers } from './tiers.ts'

/** What a test may put in between or in place. */
export interface StoreSeams {
  readonly store?: (authority: KeyStore) => KeyStore
  readonly shadow?: (notes: ShadowStore) => ShadowStore
  readonly wakeups?: Wakeups
}

export interface OpenedStore extends Tiers {
  readonly wakeups: Wakeups
}

/** The configured authority over keys with its tiers, and what tells waiters: Redis before LISTEN before this process alone. */
export async function openStore(surroundings: Surroundings, seams: StoreSeams): Promise<OpenedStore> {
  const isShared = surroundings.config.store.postgres !== null // the embedded store belongs to one process
  let wakeups: Wakeups = seams.wakeups ?? new LocalWakeups()
  try {
    const tiers = await openTiers(surroundings, async (words) => {
      wakeups = seams.wakeups ?? (isShared ? words : null) ?? await wakeupsOf(surroundings)
      const { keys, outbox, shadow } = await openAuthority(surroundings, wakeups)
      return { keys: seams.store?.(keys) ?? keys, outbox, shadow: seams.shadow?.(shadow) ?? shadow } // within an object: a test's stand-in need not bear being looked at for `then`
    })
    return { store: tiers.store, replies: tiers.replies, outbox: tiers.outbox, shadow: tiers.shadow, fleet: tiers.fleet, wakeups }
  } catch (error) {
    await wakeups.close()
    throw error
  }
}

/** Only what is configured is loaded: `pg` costs memory that the embedded store can do without. */
async function openAuthority({ config: { store }, clock, random, meter, journal }: Surroundings, wakeups: Wakeups): Promise<Stores> {
  if (store.postgres === null) {
    const { openEmbeddedStores } = await import('./store/sqlite/key-store.ts')
    return openEmbeddedStores({ dataDir: resolvePath(store.dataDir), clock, wakeups, meter })
  }
  const { openPostgresStores } = await import('./store/postgres/key-store.ts')
  return openPostgresStores({ ...store.postgres, clock, random, journal, wakeups, meter })
}

/** Without named statements there is a pooler in between, behind which LISTEN means nothing: then the waiters' polls remain. */
async function wakeupsOf({ config: { store: { postgres } }, clock, random, journal }: Surroundings): Promise<Wakeups> {
  if (postgres === null || !postgres.prepare) return new LocalWakeups()
  const { PostgresWakeups } = await import('./store/postgres/wakeups.ts')
  return new PostgresWakeups({ ...postgres, clock, random, journal })
}
