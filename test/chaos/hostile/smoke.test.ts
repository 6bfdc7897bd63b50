import { test } from 'tap'
import { missed, runMix } from './mix.ts'

/* `npm run chaos:hostile` in small: three seconds are enough for some hundred attacks. */

const SMALL = { seconds: 3, goodLanes: 4, hostileLanes: 8 } as const

test('beside hostile clients the well-behaved ones are served, each operation runs once, and the process stays', async (t) => {
  const outcome = await runMix({ ...SMALL, seed: 1, bug: null })
  t.same(missed(outcome), [])
  t.ok(outcome.attacks.size > 5, `attacks of ${outcome.attacks.size} kinds`)
  t.comment(`${outcome.good.length} operations, peak ${outcome.peakBytes >> 20} MiB`)
})

test('a planted bug is seen: a key that is released after a reset runs again', async (t) => {
  const outcome = await runMix({ ...SMALL, seed: 2, bug: 'release-on-reset' })
  t.ok(outcome.executedTwice.length > 0)
  t.ok(missed(outcome).length > 0)
})
