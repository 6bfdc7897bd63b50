import type { ClaimRequest } from '../../../src/core/record.ts'
import type { Clock, KeyStore, Random } from '../../../src/core/ports.ts'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { openPostgresStore } from '../../../src/store/postgres/key-store.ts'

const QUIET = { info: () => undefined, warn: () => undefined }
const REPLY = { status: 200, headers: ['content-type', 'application/json'], trailers: [], body: Buffer.alloc(171, '{"id":"ch_3Pq1mP2eZvKYlo2C"}') }

/** The product's store as its defaults make it. */
export function storeAt(url: string): Promise<KeyStore> {
  return openPostgresStore({
    url, clock: systemClock(), random: systemRandom(), journal: QUIET, schema: 'onceward', connections: 4, prepare: true,
    deadlineMs: 5000, partitions: 1, migrate: 'at_start', durability: 'replicated',
  })
}

/** Milliseconds of so many claims of new keys, one after the other; each is completed as a request would. */
export async function claimTimes(store: KeyStore, count: number, clock: Pick<Clock, 'monotonicMs'> = systemClock(), random: Random = systemRandom()): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i += 1) {
    const request = newRequest(random)
    const startedAt = clock.monotonicMs()
    const outcome = await store.claim(request)
    times.push(clock.monotonicMs() - startedAt)
    if (outcome.kind !== 'claimed') throw new Error(`a new key is ${outcome.kind}`)
    await store.complete(outcome.claim, { reply: { kind: 'kept', reply: REPLY }, attempts: 1, events: [] })
  }
  return times
}

/** As long in every column as what a request makes. */
function newRequest(random: Random): ClaimRequest {
  return {
    id: random.token(32), keyDigest: random.token(16), operationRef: `op_${random.token(18)}`, fingerprint: random.token(32), spec: '[2,"raw",[]]',
    parts: [1, 2, 3, 4].map(() => random.token(8)).join('.'), holder: random.token(16), route: 'default', leaseMs: 60_000, retentionMs: 86_400_000, onOrphan: { kind: 'hold' }, probe: null, outbox: null,
  }
}
