import { Client } from 'pg'
import type { Test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../../src/core/ports.ts'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { openPostgresStore, type PostgresStoreOptions } from '../../../src/store/postgres/key-store.ts'
import { NotedJournal } from '../../support/quiet.ts'

/** A store on the system's clock, closed with the test. */
export async function openedStore(t: Test, url: string, changes: Partial<PostgresStoreOptions> = {}): Promise<KeyStore> {
  const store = await openPostgresStore(storeOptions(url, changes))
  t.teardown(() => store.close())
  return store
}

export function storeOptions(url: string, changes: Partial<PostgresStoreOptions> = {}): PostgresStoreOptions {
  return {
    url, clock: systemClock(), random: systemRandom(), journal: new NotedJournal(), schema: 'onceward', connections: 2, prepare: true, deadlineMs: 5000,
    partitions: 1, migrate: 'at_start', durability: 'replicated', ...changes,
  }
}

/** A connection of the test's own, closed with it. */
export async function connected(t: Test, url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  t.teardown(() => client.end())
  return client
}

/** What a call that must fail says of its write. */
export async function refusal(call: Promise<unknown>): Promise<StoreUnavailable> {
  const error = await call.then((value) => new Error(`answered ${JSON.stringify(value)}`), (thrown: unknown) => thrown)
  if (error instanceof StoreUnavailable) return error
  throw error
}

/** Asks until it is so. Postgres has no signal for what another connection waits for. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await holds()) return
    await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
  throw new Error('waited for something that never came')
}
