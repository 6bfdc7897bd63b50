import { test } from 'tap'
import { backoffMs, type Jitter } from '../../src/core/backoff.ts'

const BACKOFF = { baseMs: 50, capMs: 2000 }

const SPANS: readonly [Jitter, number, number, number, number][] = [
  // jitter, retry, previous, least, most
  ['full', 0, 0, 0, 50],
  ['full', 1, 0, 0, 100],
  ['full', 5, 0, 0, 1600],
  ['full', 6, 0, 0, 2000],
  ['full', 5000, 0, 0, 2000],
  ['equal', 0, 0, 25, 50],
  ['equal', 9, 0, 1000, 2000],
  ['decorrelated', 0, 0, 50, 150],
  ['decorrelated', 1, 150, 50, 450],
  ['decorrelated', 9, 2000, 50, 2000],
  ['none', 0, 0, 50, 50],
  ['none', 9, 0, 2000, 2000],
]

for (const [jitter, retry, previous, least, most] of SPANS) {
  test(`${jitter} jitter before retry ${retry + 1} lies between ${least} and ${most} ms`, async (t) => {
    const delay = (uniform: number): number => backoffMs({ ...BACKOFF, jitter }, retry, previous, uniform)
    t.equal(delay(0), least)
    t.ok(delay(1 - 2 ** -53) <= most && delay(1 - 2 ** -53) >= most * 0.999)
    t.ok(delay(0.3) <= delay(0.6))
  })
}

test('a cap below the base is the ceiling of all', async (t) => {
  t.equal(backoffMs({ baseMs: 500, capMs: 10, jitter: 'full' }, 0, 0, 0.5), 5)
})
