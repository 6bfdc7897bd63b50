import { test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { ShadowStore, ShadowVerdict } from '../../src/core/shadow.ts'
import { MOST_PENDING, ShadowQueue } from '../../src/request/shadow-queue.ts'
import { look } from '../contract/shadow.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryShadowStore } from '../support/memory-shadow-store.ts'
import { NotedJournal } from '../support/quiet.ts'

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

function scene(changes: Partial<ShadowStore> = {}) {
  const clock = new FakeClock()
  const memory = new MemoryShadowStore(clock)
  const batches: number[] = []
  const store: ShadowStore = {
    look: (requests) => {
      batches.push(requests.length)
      return memory.look(requests)
    },
    end: (ends) => memory.end(ends), sweepShadow: (limit) => memory.sweepShadow(limit), ...changes,
  }
  const journal = new NotedJournal()
  const queue = new ShadowQueue(store, clock, journal)
  const told: (string | null)[] = []
  return {
    clock, memory, batches, queue, told, journal,
    ask: (key: string, holder: string) => queue.look(look(key, holder), (verdict: ShadowVerdict | null) => { told.push(verdict?.kind ?? null) }),
    end: (key: string, holder: string, as: 'completed' | 'released' = 'completed') => {
      const { id, holder: mine } = look(key, holder)
      queue.end({ id, holder: mine, as })
    },
  }
}

test('what comes in one turn goes together, and of one key everything in its order', async (t) => {
  const { ask, end, told, batches } = scene()
  for (let n = 0; n < 20; n += 1) ask(`other-${n}`, 'x')
  ask('k', 'one')
  end('k', 'one')
  ask('k', 'two')
  end('k', 'one', 'released') // of a holder that has it
  ask('k', 'three')
  await turn()
  t.strictSame(told.slice(20), ['new', 'replay', 'new'])
  t.equal(batches[0], 21)
})

test('a queue full of one key is worked off one by one, and what is behind it comes', async (t) => {
  const { ask, told, batches } = scene()
  for (let n = 0; n < 2000; n += 1) ask('hot', `holder-${n}`)
  for (let n = 0; n < 100; n += 1) ask(`cold-${n}`, 'x')
  await turn()
  t.equal(told.length, 2100)
  t.equal(told.filter((kind) => kind === 'new').length, 101)
  t.ok(batches.length <= 2000, `what is behind it needs no batch of its own: ${batches.length}`)
})

test('over its bound, and while it rests, nobody waits: there is no verdict at once', async (t) => {
  const hanging = Promise.withResolvers<readonly ShadowVerdict[]>()
  let fails = true
  const { ask, told, clock, memory, end } = scene({ look: (requests) => (fails ? hanging.promise : memory.look(requests)) })
  for (let n = 0; n < MOST_PENDING; n += 1) t.equal(ask(`k${n}`, 'x'), true)
  t.equal(ask('one-more', 'x'), false)
  t.strictSame(told, [null])
  await turn()
  hanging.reject(new StoreUnavailable('unknown', 'planted outage'))
  await turn()
  t.equal(told.length, MOST_PENDING + 1)
  t.equal(told.every((kind) => kind === null), true)
  t.equal(ask('during', 'x'), false)
  end('before', 'x')
  fails = false
  await clock.advance(1000)
  t.equal(ask('after', 'x'), true)
  await turn()
  t.equal(told.at(-1), 'new')
})

test('an end survives the outage in which it came', async (t) => {
  let down = false
  const fail = (): Promise<never> => Promise.reject(new StoreUnavailable('no', 'planted outage'))
  const { ask, end, told, clock, memory, queue } = scene({ look: (requests) => (down ? fail() : memory.look(requests)), end: (ends) => (down ? fail() : memory.end(ends)) })
  ask('k', 'one')
  await turn()
  down = true
  end('k', 'one')
  await turn()
  down = false
  await clock.advance(1000)
  ask('k', 'two')
  await turn()
  t.strictSame(told, ['new', 'replay'])
  await queue.stop()
  t.equal(ask('k', 'three'), false)
})

test('stopping writes what waits, and does not wait for a store that is gone', async (t) => {
  const one = scene()
  one.ask('k', 'one')
  one.end('k', 'one')
  await one.queue.stop()
  t.strictSame(await one.memory.look([look('k', 'two')]), [{ kind: 'replay' }])
  const gone = scene({ look: () => Promise.reject(new StoreUnavailable('no', 'planted outage')) })
  gone.ask('k', 'one')
  gone.end('k', 'one')
  await gone.queue.stop()
  t.strictSame(gone.told, [null])
})

test('a defect of a store is told, and ends nothing', async (t) => {
  const { ask, told, journal } = scene({ look: () => Promise.reject(new Error('planted defect')) })
  ask('k', 'one')
  await turn()
  t.strictSame(told, [null])
  t.strictSame(journal.events, ['shadow.failed'])
})
