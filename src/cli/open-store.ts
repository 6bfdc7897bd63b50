import { existsSync } from 'node:fs'
import { resolve as resolvePath } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Stores } from '../core/outbox-ports.ts'
import { StoreUnavailable, type Clock } from '../core/ports.ts'
import { systemRandom } from '../host/random.ts'
import { openStore as openWithTiers } from '../open-store.ts'
import { filesIn } from '../store/sqlite/files.ts'
import { Metrics } from '../telemetry/metrics.ts'

/** Who works on keys and dead letters by hand is told what became of that, and of nothing else. */
const UNHEARD = { info: () => undefined, warn: () => undefined, error: () => undefined, settled: () => undefined }

/**
 * The store that a sidecar with this configuration uses, Redis and sealing included: what is evicted here is gone there.
 * Rejects with StoreUnavailable; never begins an embedded store that is not there.
 */
export async function openStore(config: Config, clock: Clock): Promise<Stores> {
  const { database } = filesIn(resolvePath(config.store.dataDir))
  if (config.store.postgres === null && !existsSync(database)) {
    throw new StoreUnavailable('no', `there is no key store at ${database}; --config or --data-dir names the one that is meant`)
  }
  const { store, outbox, shadow, wakeups } = await openWithTiers({ config, clock, random: systemRandom(), meter: new Metrics([], () => clock.wallMs()), journal: UNHEARD }, {})
  const close = async (): Promise<void> => {
    await store.close()
    await wakeups.close()
  }
  return { keys: { ...store, close }, outbox, shadow }
}
