import { performance } from 'node:perf_hooks'
import type { Test } from 'tap'
import type { Remembered } from '../../../src/core/ports.ts'
import { parseRedisUrl } from '../../../src/core/redis-target.ts'
import { systemClock } from '../../../src/host/clock.ts'
import { systemRandom } from '../../../src/host/random.ts'
import { openRedis, type OpenRedis } from '../../../src/store/redis/open.ts'
import type { RedisReplies } from '../../../src/store/redis/reply-cache.ts'
import { NotedJournal, NotedMeter } from '../../support/quiet.ts'

export interface Scene {
  readonly redis: OpenRedis
  readonly replies: RedisReplies
  readonly meter: NotedMeter
  /** puts, and waits until it is there or is not going to be */
  readonly put: (id: string, what?: Remembered) => Promise<void>
  readonly timed: (id: string) => Promise<Timed>
}

/** One look-up, and what it took. */
export interface Timed {
  readonly found: Remembered | undefined
  readonly tookMs: number
  /** at once: before anything else had its turn; in time: before a timer of 50 ms and one of 15 ms after it, which are as late as all timers of a busy machine */
  readonly ended: 'at once' | 'in time' | 'late'
}

export const SECRET = Buffer.alloc(32, 7).toString('base64url')

export interface SceneOptions {
  readonly ca?: string
  readonly secret?: string
  readonly service?: string
  readonly keepMs?: number
}

/** The cache as the product opens it; resolves once its circuits are closed. */
export async function scene(t: Test, url: string, options: SceneOptions = {}): Promise<Scene> {
  const opened = await sceneBefore(t, url, options)
  await until(() => opened.replies.answers && opened.replies.takes)
  return opened
}

/** The same without waiting for Redis. */
export async function sceneBefore(t: Test, url: string, { ca, secret = SECRET, service = 'test', keepMs = 60_000 }: SceneOptions = {}): Promise<Scene> {
  const target = parseRedisUrl(url)
  if (target === undefined) throw new Error('no URL of a Redis')
  const meter = new NotedMeter()
  const redis = await openRedis({ target, ca: ca ?? null, service, timeoutMs: 50, keepMs, clock: systemClock(), random: systemRandom(), meter, journal: new NotedJournal() })
  t.teardown(() => redis.close())
  const replies = redis.replies(secret)
  return {
    redis, replies, meter,
    async put(id, what = remembered(id)) {
      const before = meter.fills.length
      replies.put(id, what)
      await until(() => meter.fills.length > before)
    },
    async timed(id) {
      const startedAt = performance.now()
      let ended: Timed['ended'] = 'at once'
      const turn = setImmediate(() => { ended = 'in time' })
      let timer = setTimeout(() => { timer = setTimeout(() => { ended = 'late' }, 15) }, 50)
      const found = await replies.get(id)
      clearImmediate(turn)
      clearTimeout(timer)
      return { found, tookMs: performance.now() - startedAt, ended }
    },
  }
}

export function idOf(name: string): string {
  return name.padEnd(43, '_')
}

export function remembered(text: string, changes: Partial<Remembered> = {}): Remembered {
  return {
    fingerprint: 'print', spec: '{"v":1}', parts: 'm.t.h.b', operationRef: 'op_1', retainUntil: Date.now() + 3_600_000, fence: 1,
    reply: { kind: 'kept', reply: { status: 201, headers: ['X-Twice', 'a', 'X-Twice', '\xe9'], body: new Uint8Array(Buffer.from(text)), trailers: ['grpc-status', '0'] } },
    ...changes,
  }
}

export async function until(holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  for (const deadline = performance.now() + withinMs; performance.now() < deadline;) {
    if (await holds()) return
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
  throw new Error('it did not come about in time')
}
