import { randomUUID } from 'node:crypto'
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

/** Commits events as requests do: each with the completion of a key. */
export async function filling(where: Filling, { events, lanes }: { readonly events: number, readonly lanes: number }): Promise<void> {
  const store = await opened(where)
  for (let from = 0; from < events; from += AT_A_TIME) await Promise.all(Array.from({ length: Math.min(AT_A_TIME, events - from) }, (_, i) => commit(store, from + i, lanes)))
  await store.close()
}

async function opened(where: Filling): Promise<KeyStore> {
  const [clock, random] = [systemClock(), systemRandom()]
  const journal = { info: () => undefined, warn: () => undefined }
  if (where.kind === 'embedded') return await openEmbeddedStore({ dataDir: where.folder, clock, wakeups: new LocalWakeups() })
  return await openPostgresStore({ url: where.url, schema: 'onceward', connections: 8, prepare: true, deadlineMs: 10_000, partitions: 1, migrate: 'at_start', durability: 'local', clock, random, journal })
}

async function commit(store: KeyStore, n: number, lanes: number): Promise<void> {
  const digest = Buffer.alloc(32)
  digest.writeUInt32BE(n)
  const id = digest.toString('base64url')
  const operationRef = randomUUID()
  const outcome = await store.claim({
    id, keyDigest: id, operationRef, fingerprint: id, spec: id, parts: '', holder: randomUUID(), route: 'bench',
    leaseMs: 60_000, retentionMs: 3_600_000, onOrphan: { kind: 'hold' }, probe: null, outbox: null,
  })
  if (outcome.kind !== 'claimed') throw new Error(`the claim of key ${n} ended as ${outcome.kind}`)
  const lane = `customer-${n % lanes}`
  const event = {
    id: `evt_${operationRef}`, sink: 'bench', lane, type: 'charge.created', flaw: null,
    payload: Buffer.from(JSON.stringify({ specversion: '1.0', id: `evt_${operationRef}`, source: 'urn:onceward:bench', type: 'charge.created', partitionkey: lane, data: { id: `ch_${n}`, amount: 2000, currency: 'eur' } })),
  }
  await store.complete(outcome.claim, { reply: { kind: 'kept', reply: { status: 200, headers: [], body: Buffer.from('{}'), trailers: [] } }, attempts: 1, events: [event] })
}
