import { test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { shadowSweep } from '../../src/upkeep/shadow-sweep.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { NotedJournal } from '../support/quiet.ts'

test('each minute what is past its retention goes, in batches until nothing is left, and an outage ends a round only', async (t) => {
  const [clock, journal] = [new FakeClock(), new NotedJournal()]
  const left: (number | null)[] = [500, 500, 3, null, 0]
  const limits: number[] = []
  const rounds = shadowSweep({
    sweepShadow: async (limit) => {
      limits.push(limit)
      const some = left.shift()
      if (some === null || some === undefined) throw new StoreUnavailable('no', 'planted outage')
      return some
    },
  }, clock, journal)
  rounds.start()
  await clock.advance(59_999)
  t.equal(limits.length, 0)
  await clock.advance(1)
  t.strictSame(limits, [500, 500, 500])
  await clock.advance(60_000)
  t.strictSame(journal.events, ['upkeep.interrupted'])
  await clock.advance(60_000)
  t.equal(limits.length, 5, 'the next round comes all the same')
  await rounds.stop()
  await clock.advance(600_000)
  t.equal(limits.length, 5)
})
