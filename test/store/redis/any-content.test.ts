import { asyncProperty, assert, constantFrom, integer, oneof, record, uint8Array, type Arbitrary } from 'fast-check'
import { Redis } from 'ioredis'
import t, { test } from 'tap'
import type { ClaimOutcome } from '../../../src/core/record.ts'
import { ReplyMemory } from '../../../src/store/reply-memory.ts'
import { tiered } from '../../../src/store/tiered.ts'
import { claimed, completion, HeldClock, readable, request } from '../../contract/situation.ts'
import { MemoryKeyStore } from '../../support/memory-key-store.ts'
import { NotedMeter } from '../../support/quiet.ts'
import { needs } from '../../support/services/needs.ts'
import { startRedis } from '../../support/services/redis.ts'
import { remembered, scene, until } from './scene.ts'

/* E6: whatever stands in Redis, a claim is answered as it is with Redis off. */

needs(t, 'redis')

/** What somebody did to the value of a key. */
type Content =
  | { readonly kind: 'nothing' | 'as it was' | 'list' | 'of another key' }
  | { readonly kind: 'garbage', readonly bytes: Uint8Array }
  | { readonly kind: 'byte changed' | 'cut', readonly at: number }

const content: Arbitrary<Content> = oneof(
  record({ kind: constantFrom('as it was' as const, 'nothing' as const, 'as it was' as const, 'list' as const, 'of another key' as const) }),
  record({ kind: constantFrom('garbage' as const), bytes: uint8Array({ maxLength: 200 }) }),
  record({ kind: constantFrom('byte changed' as const, 'cut' as const), at: integer({ min: 0, max: 400 }) }),
)

test('E6 whatever stands in Redis, every claim is answered as with Redis off', async (t) => {
  const server = await startRedis(t)
  const client = new Redis(server.port)
  t.teardown(() => client.disconnect())
  const { replies } = await scene(t, server.url)
  const clock = new HeldClock()
  const authority = new MemoryKeyStore(clock)
  const without = tiered({ authority, memory: new ReplyMemory(1_000_000, clock), remote: null, clock, meter: new NotedMeter() }).store
  let n = 0
  let hits = 0
  await assert(asyncProperty(content, constantFrom('completed', 'in flight', 'new'), async (what, state) => {
    n += 1
    const [key, other] = [`key-${n}`, `other-${n}`]
    if (state !== 'new') {
      const claim = await claimed(authority, request(key, '1'))
      if (state === 'completed') await authority.complete(claim, completion(`reply to ${key}`))
    }
    const { fingerprint, spec, parts, operationRef } = request(key, '1')
    const outcome = await authority.claim(request(key, 'asks'))
    const retainUntil = Date.now() + 3_600_000
    // of a key without a reply there is no valid value
    if (outcome.kind === 'replay') replies.put(request(key, '1').id, { ...outcome, retainUntil })
    replies.put(request(other, '1').id, remembered('the reply to another key', { fingerprint, spec, parts, operationRef, retainUntil }))
    const [mine, theirs] = [request(key, '1').id, request(other, '1').id].map((id) => `onceward:reply:${id}`)
    if (mine === undefined || theirs === undefined) throw new Error('there are two')
    await until(async () => await client.exists(theirs) === 1)
    await change(client, mine, theirs, what)

    const meter = new NotedMeter()
    const withRedis = tiered({ authority, memory: new ReplyMemory(1_000_000, clock), remote: replies, clock, meter }).store
    t.strictSame(shown(await withRedis.claim(request(key, 'asks'))), shown(await without.claim(request(key, 'asks'))), `${what.kind} where the key is ${state}`)
    hits += meter.hits.filter((tier) => tier === 'redis').length
    if (!t.passing()) throw new Error('the answers differ')
  }), { numRuns: 300, seed: 20260301 })
  t.ok(hits > 10, `${hits} were answered from Redis`)
})

async function change(client: Redis, mine: string, theirs: string, what: Content): Promise<void> {
  const value = await client.getBuffer(mine)
  switch (what.kind) {
    case 'as it was': return
    case 'nothing': await client.del(mine); return
    case 'list': await client.del(mine); await client.lpush(mine, 'x'); return
    case 'garbage': await client.set(mine, Buffer.from(what.bytes)); return
    case 'of another key': await client.copy(theirs, mine, 'REPLACE'); return
    case 'cut': if (value !== null && what.at < value.length) await client.set(mine, value.subarray(0, what.at)); return
    case 'byte changed': {
      if (value === null) return
      const at = what.at % value.length
      value[at] = (value[at] ?? 0) ^ 0x40
      await client.set(mine, value)
      return
    }
    default: what satisfies never
  }
}

/** `retainUntil` is the one thing that a valid value of this test has otherwise: real time, so that it lives. */
function shown(outcome: ClaimOutcome): unknown {
  return outcome.kind === 'replay' ? { ...outcome, reply: readable(outcome.reply), retainUntil: 0 } : outcome
}
