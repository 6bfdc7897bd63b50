import { readFile } from 'node:fs/promises'
import type { Config } from './config/config.ts'
import type { Clock, KeyStore, Random } from './core/ports.ts'
import { nameOf } from './core/redis-target.ts'
import { Keyring } from './store/keyring.ts'
import { openRedis, type OpenRedis } from './store/redis/open.ts'
import { ReplyMemory } from './store/reply-memory.ts'
import { sealedReplies, sealedStore } from './store/sealing.ts'
import { tiered, type Tiered } from './store/tiered.ts'
import type { Metrics } from './telemetry/metrics.ts'

/*
 * What stands around the authority, whichever it is:
 *
 *     tiered ( sealed ( authority ), sealed ( Redis ), memory )
 */

/** Bytes of completed replies that a process remembers; beyond it Redis or the authority is asked. */
const REPLY_MEMORY_BYTES = 32 * 1024 * 1024

export interface Surroundings {
  readonly config: Pick<Config, 'service' | 'store'>
  readonly clock: Clock
  readonly random: Random
  readonly meter: Metrics
}

/** The configured Redis, or null. Comes before the authority, which may want its wake-ups. */
export async function redisOf({ config, clock, random, meter }: Surroundings): Promise<OpenRedis | null> {
  const { redis } = config.store
  if (redis === null) return null
  const ca = redis.caFile === null ? null : await readFile(redis.caFile, 'utf8').catch((cause: unknown) => {
    throw new Error(`store.redis.ca_file cannot be read (${nameOf(redis.target)})`, { cause })
  })
  return openRedis({ target: redis.target, ca, service: config.service, timeoutMs: redis.timeoutMs, keepMs: redis.keepMs, clock, random, meter })
}

/** Takes over the authority and the Redis: closing the store closes both. */
export async function aroundAuthority(authority: KeyStore, redis: OpenRedis | null, { config, clock, random, meter }: Surroundings): Promise<Tiered> {
  const keyring = new Keyring(config.store.sealing, random)
  const memory = new ReplyMemory(REPLY_MEMORY_BYTES, clock)
  const sealed = sealedStore(authority, keyring)
  if (redis === null) return tiered({ authority: sealed, memory, remote: null, clock, meter })
  const replies = redis.replies(await authority.secret(random.token(32)))
  meter.observe('onceward_redis_circuit_open', '1 while Redis is not asked for replies, because it did not answer.', () => (replies.answers ? 0 : 1))
  meter.observe('onceward_redis_fill_circuit_open', '1 while no replies are written to Redis, because it did not take them.', () => (replies.takes ? 0 : 1))
  const { store, replies: memorized } = tiered({ authority: sealed, memory, remote: sealedReplies(replies, keyring, meter), clock, meter })
  return {
    replies: memorized,
    store: {
      ...store,
      async close() {
        await store.close()
        await redis.close()
      },
    },
  }
}
