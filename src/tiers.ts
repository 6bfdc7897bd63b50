import { readFile } from 'node:fs/promises'
import type { Config } from './config/config.ts'
import type { OutboxStore, Stores } from './core/outbox-ports.ts'
import type { Clock, Journal, KeyStore, Random, Wakeups } from './core/ports.ts'
import type { ShadowStore } from './core/shadow.ts'
import { Keyring } from './store/keyring.ts'
import { openRedis, type OpenRedis } from './store/redis/open.ts'
import type { FleetBudgets } from './store/redis/shared-budget.ts'
import { ReplyMemory } from './store/reply-memory.ts'
import { sealedOutbox } from './store/sealed-outbox.ts'
import { sealedReplies, sealedStore } from './store/sealing.ts'
import { tiered, type Tiered } from './store/tiered.ts'
import type { Metrics } from './telemetry/metrics.ts'

/*
 * What stands around the authority, whichever it is:
 *
 *     tiered ( sealed ( authority ), sealed ( Redis ), memory )    sealed ( outbox )
 */

/** Bytes of completed replies that a process remembers; beyond it Redis or the authority is asked. */
const REPLY_MEMORY_BYTES = 32 * 1024 * 1024

export interface Surroundings {
  readonly config: Pick<Config, 'service' | 'store'>
  readonly clock: Clock
  readonly random: Random
  readonly meter: Pick<Metrics, 'observe' | 'cacheHit' | 'cacheMiss' | 'cacheFill' | 'statements' | 'storeTook'>
  readonly journal: Pick<Journal, 'info' | 'warn'>
}

export interface Tiers extends Tiered {
  readonly outbox: OutboxStore
  /** neither sealed nor cached: there is nothing in it but digests */
  readonly shadow: ShadowStore
  /** null without Redis */
  readonly fleet: FleetBudgets | null
}

/**
 * Opens Redis, if there is one, then the authority by `openAuthority`, which may publish by the words that Redis offers, and
 * puts the tiers together. Closing the store closes both.
 */
export async function openTiers(surroundings: Surroundings, openAuthority: (words: Wakeups | null) => Promise<Stores>): Promise<Tiers> {
  const redis = await redisOf(surroundings)
  let opened: KeyStore | null = null
  try {
    const { keys, outbox, shadow } = await openAuthority(redis?.wakeups ?? null)
    opened = keys
    const keyring = new Keyring(surroundings.config.store.sealing, surroundings.random)
    return { ...await around(keys, keyring, redis, surroundings), outbox: sealedOutbox(outbox, keyring), shadow, fleet: redis }
  } catch (error) {
    // what is open would keep the process alive
    await opened?.close()
    await redis?.close()
    throw error
  }
}

/** Does not wait for Redis to answer. */
async function redisOf({ config, clock, random, meter, journal }: Surroundings): Promise<OpenRedis | null> {
  const { redis } = config.store
  if (redis === null) return null
  const ca = redis.caFile === null ? null : await readFile(redis.caFile, 'utf8').catch((cause: unknown) => {
    throw new Error(`store.redis.ca_file (${redis.caFile}) cannot be read`, { cause })
  })
  return openRedis({ target: redis.target, ca, service: config.service, timeoutMs: redis.timeoutMs, keepMs: redis.keepMs, clock, random, meter, journal })
}

async function around(authority: KeyStore, keyring: Keyring, redis: OpenRedis | null, { clock, random, meter }: Surroundings): Promise<Tiered> {
  const memory = new ReplyMemory(REPLY_MEMORY_BYTES, clock)
  const sealed = sealedStore(authority, keyring)
  if (redis === null) return tiered({ authority: sealed, memory, remote: null, clock, meter })
  const cache = redis.replies(await authority.secret(random.token(32)))
  meter.observe('onceward_redis_circuit_open', '1 while Redis is not asked for replies, because it did not answer.', () => (cache.answers ? 0 : 1))
  meter.observe('onceward_redis_fill_circuit_open', '1 while no replies are written to Redis, because it did not take them.', () => (cache.takes ? 0 : 1))
  const { store, replies } = tiered({ authority: sealed, memory, remote: sealedReplies(cache, keyring, meter), clock, meter })
  const close = async (): Promise<void> => {
    await store.close()
    await redis.close()
  }
  return { replies, store: { ...store, close } }
}
