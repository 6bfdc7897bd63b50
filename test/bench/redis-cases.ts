import { startRedis } from '../support/services/redis.ts'
import { startProduct } from './product.ts'
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
  redisShare(): Promise<number>
}

/** What one process has completed is replayed by another one, each key once, so that no memory can have it. */
export async function redisCases(scene: Scene, upstream: Target, { postgres }: Server): Promise<RedisCases> {
  const redis = await startRedis(scene)
  const store = { postgres: await postgres.createDatabase(), redis: redis.url }
  const filling = await startProduct(scene, { upstream, name: 'filling', store })
  const replaying = await startProduct(scene, { upstream, name: 'replaying', store })
  let filled = { prefix: '', keys: 0 }
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
          if (label === WARM) await load(replaying, ms, 'same', label) // its rounds are short: there are no more keys than were filled
          return (await measured(replaying, () => load(replaying, ms, 'once', filled.prefix, filled.keys))).round
        },
      },
    ],
    async redisShare() {
      const hits = new Map<string, number>()
      const text = await (await fetch(`http://127.0.0.1:${replaying.adminPort}/metrics`)).text()
      for (const [, tier = '', count] of text.matchAll(/^onceward_reply_cache_hits_total\{tier="(\w+)"\} (\d+)$/gm)) hits.set(tier, Number(count))
      return (hits.get('redis') ?? 0) / [...hits.values()].reduce((sum, count) => sum + count, 0)
    },
  }
}
