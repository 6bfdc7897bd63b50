import { existsSync } from 'node:fs'
import { resolve as resolvePath } from 'node:path'
import type { Config } from '../config/config.ts'
import { StoreUnavailable, type Clock, type KeyStore } from '../core/ports.ts'
import { systemRandom } from '../host/random.ts'
import { LocalWakeups } from '../store/local-wakeups.ts'
import { filesIn } from '../store/sqlite/files.ts'
import { openEmbeddedStore } from '../store/sqlite/key-store.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { openTiers } from '../tiers.ts'

/** Who looks at keys by hand sees what Redis says in what he is told. */
const UNHEARD = { info: () => undefined, warn: () => undefined }

/**
 * The store that a sidecar with this configuration uses, Redis and sealing included: what is evicted here is gone there.
 * Rejects with StoreUnavailable; never begins a store that is not there.
 */
export async function openStore(config: Config, clock: Clock): Promise<KeyStore> {
  const dataDir = resolvePath(config.store.dataDir)
  const { database } = filesIn(dataDir)
  if (!existsSync(database)) throw new StoreUnavailable('no', `there is no key store at ${database}; --config or --data-dir names the one that is meant`)
  const { store } = await openTiers({ config, clock, random: systemRandom(), meter: new Metrics([]), journal: UNHEARD }, async () => {
    const wakeups = new LocalWakeups()
    return { authority: await openEmbeddedStore({ dataDir, clock, wakeups }), wakeups }
  })
  return store
}
