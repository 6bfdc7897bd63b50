import type { Test } from 'tap'
import type { Rest } from '../../src/core/record.ts'
import { claimed, completion, keptReply, LEASE_MS, request, RETENTION_MS, START_MS, type KeyStoreHarness } from './situation.ts'

const PROBE = '{"get":"/v1/charges?key=a%20b","quoted":"\\"é\\""}'
const REST: Rest = { shortestMs: 15_000, longestMs: 3_600_000 }

/** What was stored with a claim so that the upstream can be asked about it, and who is given it to ask. */
export function probesContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('a probe comes back as it was stored, with the record and with the doubt', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1', { probe: PROBE })
    const claim = await claimed(store, wish)
    t.match(await store.find({ id: claim.id }, 1), [{ state: 'in_flight', probe: PROBE }])
    t.strictSame(await store.doubts(10, REST), [], 'there is nothing to ask while it is in flight')
    await store.abandon(claim, 'connection-lost', 1)
    clock.advance(7)
    const { operationRef, route } = wish
    t.strictSame(await store.claim(request('a', '2', { probe: 'another' })), { kind: 'uncertain', since: START_MS, cause: 'connection-lost', operationRef, fence: 1, probe: PROBE, outbox: null, ageMs: 7 })
    t.match(await store.find({ operationRef }, 1), [{ state: 'uncertain', probe: PROBE }])
    t.strictSame(await store.doubts(10, REST), [{ id: claim.id, fence: 1, route, operationRef, cause: 'connection-lost', probe: PROBE, outbox: null, ageMs: 7 }])
  })

  suite.test('a probe is found after the lease has ended, by the reaper or by a claim', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    await claimed(store, request('a', '1', { probe: PROBE }))
    await claimed(store, request('b', '1', { probe: PROBE }))
    clock.advance(LEASE_MS)
    t.match(await store.claim(request('b', '2')), { kind: 'uncertain', probe: PROBE, ageMs: 0 })
    await store.reap(10)
    t.equal((await store.doubts(10, REST)).length, 2)
  })

  suite.test('a doubt is given out once, and again after a quarter of its age', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    for (const name of ['a', 'b', 'c']) await store.abandon(await claimed(store, request(name, '1', { probe: PROBE })), 'deadline', 1)
    await store.abandon(await claimed(store, request('held', '1')), 'deadline', 1)
    const first = await store.doubts(2, REST)
    const second = await store.doubts(10, REST)
    t.strictSame([first.length, second.length], [2, 1])
    t.equal(new Set([...first, ...second].map(({ id }) => id)).size, 3)
    clock.advance(REST.shortestMs - 1)
    t.strictSame(await store.doubts(10, REST), [])
    clock.advance(1)
    t.equal((await store.doubts(10, REST)).length, 3)
    clock.advance(2 * RETENTION_MS)
    t.equal((await store.doubts(10, REST)).length, 3)
    clock.advance(REST.longestMs - 1)
    t.strictSame(await store.doubts(10, REST), [], 'an old one rests for longer')
    clock.advance(1)
    t.equal((await store.doubts(10, REST)).length, 3)
  })

  suite.test('a key that is no doubt any more is not asked about, and keeps no probe', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const [late, resolved, freed] = await Promise.all(['a', 'b', 'c'].map((name) => claimed(store, request(name, '1', { probe: PROBE }))))
    if (late === undefined || resolved === undefined || freed === undefined) throw new Error('three were claimed')
    for (const claim of [late, resolved, freed]) await store.abandon(claim, 'deadline', 1)
    await store.complete(late, completion('late'))
    await store.resolve(resolved.id, resolved.fence, { as: 'completed', reply: keptReply('resolved'), events: [] }, null)
    await store.resolve(freed.id, freed.fence, { as: 'not-executed', operationRef: null }, null)
    t.strictSame(await store.doubts(10, REST), [])
    for (const { id } of [late, resolved]) t.match(await store.find({ id }, 1), [{ state: 'completed', probe: null }])
    await claimed(store, request('c', '2', { probe: 'the second life' }))
    t.match(await store.find({ id: freed.id }, 1), [{ state: 'in_flight', probe: 'the second life' }])
  })
}
