import { test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { Upkeep } from '../../src/upkeep/upkeep.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { NotedJournal, NotedMeter } from '../support/quiet.ts'

function upkeep(store: Partial<KeyStore>) {
  const clock = new FakeClock()
  const meter = new NotedMeter()
  const journal = new NotedJournal()
  const whole = {
    reap: async () => ({ orphaned: 0 }), sweep: async () => ({ deleted: 0 }),
    census: async () => ({ inFlight: 1, uncertain: 2, completed: 3 }), ...store,
  } as unknown as KeyStore
  return { clock, meter, journal, upkeep: new Upkeep(whole, clock, meter, journal) }
}

test('a round reaps and sweeps in batches until nothing is left, and takes the census', async (t) => {
  const orphans = [500, 500, 7]
  const ended = [500, 0]
  const { meter, upkeep: one, journal } = upkeep({ reap: async () => ({ orphaned: orphans.shift() ?? 0 }), sweep: async () => ({ deleted: ended.shift() ?? 0 }) })
  t.same(await one.runOnce(), { orphaned: 1007, deleted: 500 })
  t.same(meter.last, { inFlight: 1, uncertain: 2, completed: 3 })
  t.ok(journal.events.includes('upkeep.doubts'))
})

test('ended leases become doubts within a minute, by the timer alone', async (t) => {
  let rounds = 0
  const { clock, upkeep: one } = upkeep({ reap: async () => ({ orphaned: (rounds += 1) * 0 }) })
  one.start()
  await clock.advance(60_000)
  t.ok(rounds >= 5, `${rounds} rounds in a minute`)
  await one.stop()
  const before = rounds
  await clock.advance(60_000)
  t.equal(rounds, before, 'and none after the stop')
})

test('an outage ends the round, and the next one comes', async (t) => {
  let rounds = 0
  const { clock, upkeep: one, journal } = upkeep({
    reap: async () => {
      rounds += 1
      throw new StoreUnavailable('no', 'planted')
    },
  })
  one.start()
  await clock.advance(30_000)
  t.ok(rounds >= 2)
  t.ok(journal.events.includes('upkeep.interrupted'))
  await one.stop()
})
