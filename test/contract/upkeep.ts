import type { Test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { claimed, completion, LEASE_MS, request, RETENTION_MS, START_MS, type KeyStoreHarness } from './situation.ts'

export function upkeepContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('reap turns what nobody holds any more into doubts, a few at a time', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    for (const name of ['a', 'b', 'c']) await claimed(store, request(name, '1'))
    clock.advance(LEASE_MS - 1)
    t.strictSame(await store.reap(10), { orphaned: 0 })
    const fresh = await claimed(store, request('d', '1'))
    clock.advance(1)
    t.strictSame(await store.reap(2), { orphaned: 2 })
    t.strictSame(await store.reap(2), { orphaned: 1 })
    t.strictSame(await store.reap(2), { orphaned: 0 })
    t.strictSame((await store.find({ state: 'in_flight' }, 10)).map(({ id }) => id), [fresh.id])
    const doubts = await store.find({ state: 'uncertain' }, 10)
    t.equal(doubts.length, 3)
    for (const doubt of doubts) t.match(doubt, { since: START_MS + LEASE_MS, cause: 'lease-expired', fence: 1 })
    t.equal((await store.find({ state: 'uncertain' }, 2)).length, 2)
  })

  suite.test('the sweep deletes completed records past their retention, a few at a time', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    for (const name of ['a', 'b', 'c']) await store.complete(await claimed(store, request(name, '1')), completion(name))
    const kept = request('d', '1', { retentionMs: 2 * RETENTION_MS })
    await store.complete(await claimed(store, kept), completion('d'))
    clock.advance(RETENTION_MS - 1)
    t.strictSame(await store.sweep(10), { deleted: 0 })
    clock.advance(1)
    t.strictSame(await store.sweep(2), { deleted: 2 })
    t.strictSame(await store.sweep(2), { deleted: 1 })
    t.strictSame(await store.sweep(2), { deleted: 0 })
    t.match(await store.claim(request('d', '2')), { kind: 'replay' })
  })

  suite.test('the sweep spares doubts and what is in flight, however old', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    await claimed(store, request('flying', '1'))
    await store.abandon(await claimed(store, request('doubtful', '1')), 'deadline', 1)
    clock.advance(100 * RETENTION_MS)
    t.strictSame(await store.sweep(10), { deleted: 0 })
    t.match(await store.claim(request('flying', '2')), { kind: 'uncertain' })
    t.match(await store.claim(request('doubtful', '2')), { kind: 'uncertain' })
  })

  suite.test('the census counts through every change', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
    const [a, b, c] = [await claimed(store, request('a', '1')), await claimed(store, request('b', '1')), await claimed(store, request('c', '1'))]
    t.strictSame(await store.census(), { inFlight: 3, uncertain: 0, completed: 0 })
    await store.complete(a, completion('a'))
    await store.abandon(b, 'deadline', 1)
    await store.release(c)
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 1, completed: 1 })
    await store.resolve(b.id, b.fence, { as: 'not-executed', operationRef: null }, null)
    clock.advance(RETENTION_MS)
    await store.sweep(10)
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
    await store.complete(a, completion('a'))
    await store.renew([{ claim: b, leaseMs: LEASE_MS }])
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 }, 'what is fenced does not count')
  })

  suite.test('the first secret is the secret', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const secrets = await Promise.all(['one', 'two', 'three'].map((candidate) => store.secret(candidate)))
    t.strictSame(secrets, [secrets[0], secrets[0], secrets[0]])
    t.equal(await store.secret('four'), secrets[0])
  })

  suite.test('of several who write down their key space the first one does, and the others are told', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const told = await Promise.all(['one', 'two', 'three'].map((next) => store.keySpace(null, next)))
    const first = told[0] ?? '' // which of them the store hears first is not ours to say
    t.ok(['one', 'two', 'three'].includes(first), first)
    t.strictSame(told, [first, first, first])
    t.equal(await store.keySpace(first, 'four'), 'four', 'who saw what stands there replaces it')
    t.equal(await store.keySpace(first, 'five'), 'four', 'who saw what stood there before does not')
    t.equal(await store.keySpace(null, 'six'), 'four')
    t.equal(await store.keySpace('four', 'four'), 'four')
    t.equal(await store.keySpace(first, 'four'), 'four', 'asking again after an unknown result is told the same')
    const long = JSON.stringify({ service: 'é"\n', routes: Array.from({ length: 500 }, (_, n) => `route-${n}`) })
    t.equal(await store.keySpace('four', long), long)
    t.equal(await store.keySpace(null, 'seven'), long)
  })

  suite.test('a store that closes settles what it accepted, and refuses the rest', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const accepted = Array.from({ length: 10 }, (_, n) => store.claim(request(`key-${n}`, '1')))
    const closing = [store.close(), store.close()]
    for (const outcome of await Promise.all(accepted)) t.match(outcome, { kind: 'claimed' })
    await Promise.all(closing)
    const refused = await store.claim(request('later', '1')).catch((error: unknown) => error)
    t.ok(refused instanceof StoreUnavailable && refused.written === 'no')
    await store.close()
  })
}
