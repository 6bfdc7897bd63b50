import { startRedis } from '../support/services/redis.ts'
import { startProduct, type Product } from './product.ts'
import { load, measured, WARM, type Case } from './rounds.ts'
import type { Scene, Target } from './scene.ts'
import type { Server } from './servers.ts'
import { YARDSTICK, type Bar } from './table.ts'

const FILLING = 'new key, Postgres and Redis'
const REPLAYING = 'replay from Redis'

export const REDIS_BARS: Readonly<Record<string, readonly Bar[]>> = { [REPLAYING]: [{ kind: 'cpu', of: YARDSTICK, atMost: 0.75 }] }

export interface RedisCases {
  readonly cases: readonly Case[]
  /** share of the replays that Redis answered, and not the memory or Postgres */
  redisShare(): number
}

/** What one process has completed is replayed by another one, each key once, so that no memory can have it. */
export async function redisCases(scene: Scene, upstream: Target, { postgres }: Server): Promise<RedisCases> {
  const redis = await startRedis(scene)
  const store = { postgres: await postgres.createDatabase(), redis: redis.url }
  const filling = await startProduct(scene, { upstream, name: 'filling', store })
  const replaying = await startProduct(scene, { upstream, name: 'replaying', store })
  let filled = { prefix: '', keys: 0 }
  const answered = { byRedis: 0, atAll: 0 }
  return {
    cases: [
      {
        name: FILLING,
        async round(label, ms) {
          const { round, loaded } = await measured(filling, () => load(filling, ms, 'new', label))
          filled = { prefix: label, keys: loaded.answered }
          return round
        },
      },
      {
        name: REPLAYING,
        async round(label, ms) {
          if (label.startsWith(WARM)) await load(replaying, ms, 'same', label) // its rounds are short: there are no more keys than were filled
          const before = await redisHits(replaying)
          const { round, loaded } = await measured(replaying, () => load(replaying, ms, 'once', filled.prefix, filled.keys))
          answered.byRedis += await redisHits(replaying) - before
          answered.atAll += loaded.answered
          return round
        },
      },
    ],
    redisShare: () => answered.byRedis / answered.atAll,
  }
}

async function redisHits({ adminPort }: Product): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  return Number(/^onceward_reply_cache_hits_total\{tier="redis"\} (\d+)$/m.exec(text)?.[1] ?? 0)
}
