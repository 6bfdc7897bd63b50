import { test } from 'tap'
import { StoreUnavailable, type KeyStore, type Wakeups } from '../../src/core/ports.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import { Watch, type Sight } from '../../src/request/watch.ts'
import { LocalWakeups } from '../../src/store/local-wakeups.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { deferred } from '../support/deferred.ts'

const FLYING = { state: 'in_flight' } as unknown as KeyRecord
const DONE = { state: 'completed' } as unknown as KeyRecord

/** A watch on one record, whose store says what the test says, and what was seen of it. */
async function watching(said: { find?: () => Promise<readonly KeyRecord[]>, flag?: KeyStore['flag'], wakeups?: Wakeups | null }) {
  const clock = new FakeClock()
  const wakeups = said.wakeups === undefined ? new LocalWakeups() : said.wakeups
  const calls: string[] = []
  const store: Pick<KeyStore, 'find' | 'flag'> = {
    find: () => { calls.push('find'); return (said.find ?? (() => Promise.resolve([FLYING])))() },
    flag: (id) => { calls.push('flag'); return (said.flag ?? (() => Promise.resolve('flagged' as const)))(id) },
  }
  const watch = new Watch({ store, wakeups, clock, random: { uniform: () => 0.5, token: () => '' } })
  const sights: Sight[] = []
  const failures: unknown[] = []
  const leave = watch.on('k', 'op-1', { see: (sight) => sights.push(sight), fail: (error) => failures.push(error) })
  await clock.advance(0)
  return { clock, wakeups, calls, watch, sights, failures, leave }
}

test('a record that is flagged is looked at when a word comes, and not before', async (t) => {
  const { clock, wakeups, calls, sights, leave } = await watching({ find: () => Promise.resolve([DONE]) })
  await clock.advance(900)
  t.strictSame(calls, ['flag'])
  wakeups?.publish(['another key'])
  await clock.advance(0)
  t.strictSame(sights, [])
  wakeups?.publish(['k'])
  await clock.advance(0)
  t.strictSame(sights, [DONE])
  t.strictSame(calls, ['flag', 'find'])
  leave()
})

test('a record that settled before it was flagged is looked at once', async (t) => {
  const { calls, sights, leave } = await watching({ flag: () => Promise.resolve('settled'), find: () => Promise.resolve([DONE]) })
  t.strictSame(calls, ['flag', 'find'])
  t.strictSame(sights, [DONE])
  leave()
})

test('a word that comes while the flag is still out is not lost', async (t) => {
  const wakeups = new LocalWakeups()
  const flag = (): Promise<'flagged'> => {
    wakeups.publish(['k']) // flagged, settled and told before the flag's own answer is here
    return Promise.resolve('flagged')
  }
  const { calls, sights, leave } = await watching({ flag, wakeups, find: () => Promise.resolve([DONE]) })
  t.strictSame(calls, ['flag', 'find'])
  t.strictSame(sights, [DONE])
  leave()
})

test('a word that comes during a look means one more look, however many words', async (t) => {
  const looks = [deferred<readonly KeyRecord[]>(), deferred<readonly KeyRecord[]>()]
  let next = 0
  const { clock, wakeups, sights, calls, leave } = await watching({ find: () => looks[next++]?.promise ?? Promise.resolve([]) })
  wakeups?.publish(['k'])
  for (let i = 0; i < 3; i += 1) wakeups?.publish(['k'])
  looks[0]?.resolve([FLYING]) // it had read before the settle
  await clock.advance(0)
  t.strictSame(sights, [FLYING])
  looks[1]?.resolve([DONE])
  await clock.advance(0)
  t.strictSame(sights, [FLYING, DONE])
  t.strictSame(calls, ['flag', 'find', 'find'])
  leave()
})

test('a lost word costs a poll, and a record that flies on is flagged anew after a word', async (t) => {
  const { clock, wakeups, calls, leave } = await watching({})
  await clock.advance(1000)
  t.strictSame(calls, ['flag', 'find'], 'the poll behind')
  wakeups?.publish(['k'])
  await clock.advance(0)
  t.strictSame(calls, ['flag', 'find', 'find'])
  await clock.advance(4000)
  t.strictSame(calls, ['flag', 'find', 'find', 'flag', 'find'], 'the word used the flag up')
  leave()
})

test('polls grow rarer, and without words they are all there is', async (t) => {
  const alone = await watching({ wakeups: null })
  await alone.clock.advance(10_000)
  t.notOk(alone.calls.includes('flag'), 'there is nobody to be told')
  t.equal(alone.calls.length, 11, '200, 400, 800 ms, and then every second')
  alone.leave()
  const behind = await watching({})
  await behind.clock.advance(10_000)
  t.equal(behind.calls.length, 1 + 3, 'a flag, and looks after 1, 2 and 4 s')
  behind.leave()
})

test('an outage of the store is waited out: the flag is set by the next poll', async (t) => {
  let down = true
  const answer = <Outcome>(outcome: Outcome): Promise<Outcome> => (down ? Promise.reject(new StoreUnavailable('no', 'planted')) : Promise.resolve(outcome))
  const { clock, calls, sights, failures, leave } = await watching({ flag: () => answer('flagged' as const), find: () => answer([DONE]) })
  await clock.advance(1000)
  t.strictSame(sights, ['unavailable'])
  down = false
  await clock.advance(2000)
  t.strictSame(sights, ['unavailable', DONE])
  t.strictSame(calls, ['flag', 'flag', 'find', 'flag', 'find'])
  t.strictSame(failures, [])
  leave()
})

test('a defect of the store is told to who waits, as a defect', async (t) => {
  const { failures, leave } = await watching({ flag: () => Promise.reject(new TypeError('planted')) })
  t.match(failures, [{ message: 'planted' }])
  leave()
})

test('who leaves takes subscription, poll and books along', async (t) => {
  const wakeups = new LocalWakeups()
  const { clock, calls, watch, leave } = await watching({ wakeups })
  t.equal(watch.size, 1)
  leave()
  t.equal(watch.size, 0)
  wakeups.publish(['k'])
  await clock.advance(10_000)
  t.strictSame(calls, ['flag'])
})

test('who leaves while a look is out is told nothing more, and nothing stays behind', async (t) => {
  const look = deferred<readonly KeyRecord[]>()
  const { clock, wakeups, sights, watch, leave } = await watching({ find: () => look.promise })
  wakeups?.publish(['k'])
  leave()
  look.resolve([DONE])
  await clock.advance(0)
  t.strictSame(sights, [])
  t.equal(watch.size, 0)
})

test('when the process stops, who waits is told that there is nothing more to see', async (t) => {
  const { clock, sights, calls, watch } = await watching({})
  watch.stop()
  t.strictSame(sights, ['gone'])
  t.equal(watch.size, 0)
  await clock.advance(10_000)
  t.strictSame(calls, ['flag'])
})

test('who begins to wait behind a word that was lost does not wait for the next poll', async (t) => {
  let now = FLYING
  const { clock, calls, watch, sights, leave } = await watching({ find: () => Promise.resolve([now]) })
  await clock.advance(3100) // polls at 1 s and at 3 s; the next one at 7 s
  t.strictSame([sights, calls], [[FLYING, FLYING], ['flag', 'find', 'find']])
  const soon: Sight[] = []
  const leaveSoon = watch.on('k', 'op-1', { see: (sight) => soon.push(sight), fail: (error) => { throw error } })
  await clock.advance(0)
  t.strictSame([soon, calls.length], [[], 3], 'it was looked at a moment ago')
  now = DONE // and nobody says so
  await clock.advance(1000)
  const late: Sight[] = []
  const leaveLate = watch.on('k', 'op-1', { see: (sight) => late.push(sight), fail: (error) => { throw error } })
  t.strictSame(late, [], 'never in the caller\'s turn')
  await clock.advance(0)
  t.strictSame([late, soon, sights.at(-1)], [[DONE], [DONE], DONE])
  for (const go of [leave, leaveSoon, leaveLate]) go()
})
