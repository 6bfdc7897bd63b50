import { existsSync } from 'node:fs'
import { resolve as resolvePath } from 'node:path'
import type { Config } from '../config/config.ts'
import { StoreUnavailable, type Clock, type KeyStore } from '../core/ports.ts'
import { filesIn } from '../store/sqlite/files.ts'
import { openEmbeddedStore } from '../store/sqlite/key-store.ts'

/** The store that a sidecar with this configuration uses. Rejects with StoreUnavailable; never begins a store that is not there. */
export async function openStore({ store }: Config, clock: Clock): Promise<KeyStore> {
  const dataDir = resolvePath(store.dataDir)
  const { database } = filesIn(dataDir)
  if (!existsSync(database)) throw new StoreUnavailable('no', `there is no key store at ${database}; --config or --data-dir names the one that is meant`)
  return await openEmbeddedStore({ dataDir, clock })
}
