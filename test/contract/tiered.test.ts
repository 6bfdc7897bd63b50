import t from 'tap'
import type { KeyStore } from '../../src/core/ports.ts'
import { systemClock } from '../../src/host/clock.ts'
import { systemRandom } from '../../src/host/random.ts'
import { parseRedisUrl } from '../../src/core/redis-target.ts'
import { Keyring } from '../../src/store/keyring.ts'
import { openRedis } from '../../src/store/redis/open.ts'
import { ReplyMemory } from '../../src/store/reply-memory.ts'
import { sealedOutbox } from '../../src/store/sealed-outbox.ts'
import { sealedReplies, sealedStore } from '../../src/store/sealing.ts'
import { tiered } from '../../src/store/tiered.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'
import { NotedJournal, NotedMeter } from '../support/quiet.ts'
import { needs } from '../support/services/needs.ts'
import { startRedis } from '../support/services/redis.ts'
import { acceptedWorkContract } from './accepted-work.ts'
import { keyStoreContract } from './key-store.ts'
import { HeldClock, type KeyStoreHarness } from './situation.ts'

/*
 * The contract over all tiers, with everything sealed. What was completed is in Redis before the next call, so that claims
 * are answered from there wherever that may be: the model's answers must be the same.
 */

needs(t, 'redis')
const redis = await startRedis(t)
const target = parseRedisUrl(redis.url)
let fromRedis = 0

const harness: KeyStoreHarness = {
  async open() {
    await redis.command('FLUSHALL')
    const clock = new HeldClock()
    const meter = new NotedMeter()
    const woken: string[] = []
    const outbox = new MemoryOutboxStore(clock)
    const authority = new MemoryKeyStore(clock, { publish: (ids) => woken.push(...ids) }, outbox)
    const system = systemClock()
    if (target === undefined) throw new Error('the URL of the server cannot be read')
    // records by the test's clock, waiting by the real one
    const remoteClock = { wallMs: () => clock.wallMs(), monotonicMs: () => system.monotonicMs(), after: (ms: number, task: () => void) => system.after(ms, task) }
    const opened = await openRedis({ target, ca: null, service: 'contract', timeoutMs: 1000, keepMs: 3_600_000, clock: remoteClock, random: systemRandom(), meter, journal: new NotedJournal() })
    const keyring = new Keyring([{ id: 'k1', secret: Buffer.alloc(32, 1) }], systemRandom())
    const replies = opened.replies(Buffer.alloc(32, 2).toString('base64url'))
    while (!replies.answers || !replies.takes) await new Promise((resolve) => { setTimeout(resolve, 5) })
    const { store } = tiered({ authority: sealedStore(authority, keyring), memory: new ReplyMemory(1_000_000, clock), remote: sealedReplies(replies, keyring, meter), clock, meter })
    return {
      store: { ...store, complete: afterItsFill(store, meter) },
      outbox: sealedOutbox(outbox, keyring),
      clock,
      woken,
      committedEvents: () => Promise.resolve(authority.events.map((event) => ({ ...event, payload: keyring.openPayload(event.payload, event.id) ?? new Uint8Array() }))),
      close: async () => {
        fromRedis += meter.hits.filter((tier) => tier === 'redis').length
        await store.close()
        await opened.close()
      },
    }
  },
}

keyStoreContract(t, harness)
acceptedWorkContract(t, harness)

t.test('many of these answers came from Redis', (t) => {
  t.ok(fromRedis > 10, `${fromRedis} did`)
  t.end()
})

/** A fill is not waited for; here it is, for as long as one could take. */
function afterItsFill(store: KeyStore, meter: NotedMeter): KeyStore['complete'] {
  return async (claim, completion) => {
    const before = meter.fills.length
    const written = await store.complete(claim, completion)
    if (written === 'fenced') return written
    for (let turns = 0; meter.fills.length === before && turns < 10; turns += 1) await new Promise((resolve) => { setTimeout(resolve, 1) })
    return written
  }
}
