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

/** The server's commits wait for a standby of this name from now on; an empty one: for none. */
export async function waitFor(admin: Client, standby: string): Promise<void> {
  await admin.query(`alter system set synchronous_standby_names = '${standby}'`)
  await admin.query('select pg_reload_conf()')
  await until(async () => await commitWaits(admin) === (standby !== ''))
}

/** Each backend reads the setting for itself, but none waits before the checkpointer has read it, too: only a commit can tell. */
async function commitWaits(admin: Client): Promise<boolean> {
  const { host, port, user = '', database = '' } = admin
  const probe = new Client({ host, port, user, database })
  probe.on('error', () => undefined)
  await probe.connect()
  const { rows: [own] } = await probe.query<{ pid: number }>('select pg_backend_pid() as pid')
  let committed = false
  const commit = probe.query("select pg_logical_emit_message(true, 'probe', '')").then(() => { committed = true }, () => undefined)
  let waits = false
  await until(async () => {
    waits = (await admin.query("select from pg_stat_activity where pid = $1 and wait_event = 'SyncRep'", [own?.pid])).rows.length > 0
    return waits || committed
  })
  await admin.query('select pg_terminate_backend($1)', [own?.pid])
  await commit
  return waits
}

/** Cancels every wait for a standby; resolves with how many there were. */
export async function cancelWaits(admin: Client, over: AbortSignal): Promise<number> {
  let cancelled = 0
  while (!over.aborted) {
    cancelled += (await admin.query("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")).rows.length
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  return cancelled
}

/** Asks until it is so. Postgres has no signal for what another connection waits for. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await holds()) return
    await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
  throw new Error('waited for something that never came')
}
