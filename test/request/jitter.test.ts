import { test } from 'tap'
import type { AttemptOutcome } from '../../src/core/attempt.ts'
import type { Jitter } from '../../src/core/backoff.ts'
import { systemRandom } from '../../src/host/random.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { flowOver } from '../support/flow.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { ANSWERED, NOT_SENT, refused, ScheduledUpstream } from '../support/scheduled-upstream.ts'
import { distanceFromUniform, farthestOfUniform, humps } from '../support/uniformity.ts'

const KEYS = 2000

/** The delays of the running loop, by its own randomness, as the upstream sees them: between the end of the first attempt and the second one. */
async function delaysOf(jitter: Jitter, first: (key: number) => AttemptOutcome): Promise<number[]> {
  const clock = new FakeClock()
  const store = new MemoryKeyStore(clock)
  const random = systemRandom()
  const delays: number[] = []
  const yaml = `defaults: { retry: { base: 1s, jitter: ${jitter}, deadline: 60s } }\nbudgets: { default: { ratio: 1, max_in_flight: 100000 } }`
  const upstreams = new Map<string, ScheduledUpstream>()
  const flow = await flowOver(store, {
    yaml, clock, wakeups: null, uniform: () => random.uniform(),
    attempt(request, limits) {
      const key = request.fields[request.fields.indexOf('Idempotency-Key') + 1] ?? ''
      const upstream = upstreams.get(key) ?? new ScheduledUpstream(clock, [{ outcome: first(Number(key)), takesMs: 0 }, { outcome: ANSWERED, takesMs: 0 }])
      upstreams.set(key, upstream)
      return upstream.attempt(request, limits)
    },
  })
  const all = Promise.all(Array.from({ length: KEYS }, (_, i) => flow.send(String(i))))
  await clock.advance(0)
  await clock.advance(40_000)
  await all
  for (const { seen: [one, other] } of upstreams.values()) if (one !== undefined && other !== undefined) delays.push(other.atMs - one.atMs)
  return delays
}

test('the delays of the running loop are uniform: the Kolmogorov-Smirnov test', async (t) => {
  const delays = await delaysOf('full', () => NOT_SENT)
  t.equal(delays.length, KEYS)
  t.ok(delays.every((delay) => delay >= 0 && delay <= 1000))
  const distance = distanceFromUniform(delays, 1000)
  t.comment(`distance ${distance.toFixed(4)}, at most ${farthestOfUniform(KEYS).toFixed(4)}`)
  t.ok(distance < farthestOfUniform(KEYS), String(distance))
})

for (const jitter of ['equal', 'decorrelated', 'none'] as const) {
  test(`those of jitter ${jitter} are not`, async (t) => {
    t.ok(distanceFromUniform(await delaysOf(jitter, () => NOT_SENT), 1000) > farthestOfUniform(KEYS))
  })
}

test('two humps, at 0 and at 30 s, give away who has no jitter', async (t) => {
  const half = (key: number): AttemptOutcome => (key % 2 === 0 ? NOT_SENT : refused('Retry-After', '30'))
  t.strictSame(humps(await delaysOf('none', half), 100, 0.2), [1000, 31_000])
  t.strictSame(humps(await delaysOf('full', half), 100, 0.2), [])
})
