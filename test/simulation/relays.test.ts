import { test } from 'tap'
import { simulateRelays } from './relays.ts'

const SEEDS = Number(process.env['ONCEWARD_SEEDS'] ?? 25)

test('whatever fails, dies, hangs or commits late: nothing is lost, lanes keep their order, ids stay the same', async (t) => {
  let [duplicates, dead, takeovers] = [0, 0, 0]
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const outcome = await simulateRelays(seed)
    t.match(outcome, { lost: [], disordered: [], forged: [], leaks: 0, stale: 0 }, `seed ${seed}`)
    duplicates += outcome.duplicates
    dead += outcome.dead
    takeovers += outcome.takeovers
  }
  t.ok(duplicates > 0 && dead > 0 && takeovers > SEEDS, `${duplicates} duplicates, ${dead} dead letters and ${takeovers} takeovers put it to the test`)
})

for (const bug of ['stale-relays-go-on', 'cursor-over-rows', 'busy-forgotten'] as const) {
  test(`the checks see a planted bug: ${bug}`, async (t) => {
    let seen = false
    for (let seed = 1; seed <= 10 && !seen; seed += 1) {
      const { lost, disordered, leaks, stale } = await simulateRelays(seed, { bug })
      seen = lost.length > 0 || disordered.length > 0 || leaks > 0 || stale > 0
    }
    t.ok(seen)
  })
}
