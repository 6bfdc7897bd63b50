import type { KeyStore } from '../../../src/core/ports.ts'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { openPostgresStore } from '../../../src/store/postgres/key-store.ts'
import { openEmbeddedStore } from '../../../src/store/sqlite/key-store.ts'
import { LocalWakeups } from '../../../src/store/local-wakeups.ts'

/** Which store is filled. */
export type Filling =
  | { readonly kind: 'postgres', readonly url: string }
  | { readonly kind: 'embedded', readonly folder: string }

const AT_A_TIME = 500
const random = systemRandom()

/** Commits events as requests do: each with the completion of a key. */
export async function filling(where: Filling, { events, lanes }: { readonly events: number, readonly lanes: number }): Promise<void> {
  const store = await opened(where)
  for (let from = 0; from < events; from += AT_A_TIME) await Promise.all(Array.from({ length: Math.min(AT_A_TIME, events - from) }, (_, i) => commit(store, from + i, lanes)))
  await store.close()
}

async function opened(where: Filling): Promise<KeyStore> {
  const clock = systemClock()
  const journal = { info: () => undefined, warn: () => undefined }
  if (where.kind === 'embedded') return await openEmbeddedStore({ dataDir: where.folder, clock, wakeups: new LocalWakeups() })
  return await openPostgresStore({ url: where.url, schema: 'onceward', connections: 8, prepare: true, deadlineMs: 10_000, partitions: 1, migrate: 'at_start', durability: 'local', clock, random, journal })
}

async function commit(store: KeyStore, n: number, lanes: number): Promise<void> {
  const { id, operationRef } = { id: random.token(32), operationRef: `op_${random.token(16)}` }
  const outcome = await store.claim({
    id, keyDigest: random.token(32), operationRef, fingerprint: random.token(32), spec: random.token(8), parts: [1, 2, 3, 4].map(() => random.token(8)).join('.'),
    holder: random.token(16), route: 'bench', leaseMs: 60_000, retentionMs: 3_600_000, onOrphan: { kind: 'hold' }, probe: null, outbox: null,
  })
  if (outcome.kind !== 'claimed') throw new Error(`the claim of key ${n} ended as ${outcome.kind}`)
  const lane = `customer-${n % lanes}`
  const event = {
    id: `evt_${operationRef}`, sink: 'bench', lane, type: 'charge.created', flaw: null,
    payload: Buffer.from(JSON.stringify({ specversion: '1.0', id: `evt_${operationRef}`, source: 'urn:onceward:bench', type: 'charge.created', partitionkey: lane, data: { id: `ch_${n}`, amount: 2000, currency: 'eur' } })),
  }
  await store.complete(outcome.claim, { reply: { kind: 'kept', reply: { status: 200, headers: [], body: Buffer.from('{}'), trailers: [] } }, attempts: 1, events: [event] })
}
