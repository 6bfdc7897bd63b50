import { test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { Doubt } from '../../src/core/record.ts'
import { DoubtSweep } from '../../src/upkeep/doubt-sweep.ts'
import { claimed, request } from '../contract/situation.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { NotedJournal } from '../support/quiet.ts'

function sweepOver(store: Pick<MemoryKeyStore, 'doubts'>, clock: FakeClock, inquire: (doubt: Doubt) => Promise<'resolved' | 'unclear'>, journal = new NotedJournal()): DoubtSweep {
  let n = 0
  return new DoubtSweep({ store, clock, journal, inquire, wanted: () => true, random: { uniform: () => (n += 0.37) % 1, token: () => 'x' } })
}

async function doubts(store: MemoryKeyStore, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await store.abandon(await claimed(store, request(`k${n}`, '1', { probe: `{"n":${n}}` })), 'connection-lost', 1)
}

test('a backlog is asked about four at a time, spread out, each key once', async (t) => {
  const clock = new FakeClock()
  const store = new MemoryKeyStore(clock)
  await doubts(store, 100)
  const asked: { readonly id: string, readonly at: number }[] = []
  let out = 0
  let most = 0
  const sweep = sweepOver(store, clock, async ({ id }) => {
    asked.push({ id, at: clock.monotonicMs() })
    most = Math.max(most, out += 1)
    await new Promise<void>((resolve) => { clock.after(50, resolve) })
    out -= 1
    return 'unclear'
  })
  const round = sweep.runOnce()
  for (let i = 0; i < 300; i += 1) await clock.advance(40)
  t.strictSame(await round, { asked: 100, resolved: 0 })
  t.equal(new Set(asked.map(({ id }) => id)).size, 100)
  t.ok(most <= 4, `${most} at one time`)
  const [first, last] = [asked[0], asked.at(-1)]
  t.ok(first !== undefined && last !== undefined && last.at - first.at > 3000, 'not all at once')
  await sweep.stop()
})

test('of two sweeps over one store each key is asked about by one', async (t) => {
  const clock = new FakeClock()
  const store = new MemoryKeyStore(clock)
  await doubts(store, 40)
  const asked: string[] = []
  const rounds = [1, 2].map(() => sweepOver(store, clock, ({ id }) => {
    asked.push(id)
    return Promise.resolve('unclear')
  }).runOnce())
  for (let i = 0; i < 200; i += 1) await clock.advance(50)
  const counts = await Promise.all(rounds)
  t.equal(counts.reduce((sum, { asked: some }) => sum + some, 0), 40)
  t.equal(new Set(asked).size, 40)
})

test('an outage ends a round, and the next one comes', async (t) => {
  const clock = new FakeClock()
  const journal = new NotedJournal()
  let calls = 0
  const sweep = sweepOver({ doubts: () => { calls += 1; return Promise.reject(new StoreUnavailable('no', 'gone')) } }, clock, () => Promise.resolve('unclear'), journal)
  sweep.start()
  await clock.advance(20_000)
  t.ok(calls >= 2)
  t.strictSame(new Set(journal.events), new Set(['upkeep.interrupted']))
  await sweep.stop()
  const before = calls
  await clock.advance(60_000)
  t.equal(calls, before, 'stopped')
})

test('where no route has a probe the store is not asked', async (t) => {
  const clock = new FakeClock()
  const store = { doubts: () => Promise.reject(new Error('asked')) }
  const sweep = new DoubtSweep({ store, clock, journal: new NotedJournal(), inquire: () => Promise.resolve('unclear'), wanted: () => false, random: { uniform: () => 0.5, token: () => 'x' } })
  t.strictSame(await sweep.runOnce(), { asked: 0, resolved: 0 })
})
