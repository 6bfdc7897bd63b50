import type { Test } from 'tap'
import type { Rest } from '../../src/core/record.ts'
import { claimed, completion, event, keptReply, LEASE_MS, request, RETENTION_MS, START_MS, type KeyStoreHarness } from './situation.ts'

const DRAFT = '{"v":1,"json":"{\\"note\\":\\"é\\\\u0000\\\\ud800 \\\\\\"}","text":"\uFFFE, null {}"}'
const PROBE = '{"get":"/v1"}'
const REST: Rest = { shortestMs: 15_000, longestMs: 3_600_000 }

/** What a request gives to its events was stored with its claim, for whoever completes the key. */
export function draftsContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('a draft comes back as it was stored: with the record, with the doubt and with the claim that comes upon it', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1', { outbox: DRAFT })
    const claim = await claimed(store, wish)
    t.match(await store.find({ id: claim.id }, 1), [{ state: 'in_flight', outbox: DRAFT, probe: null }])
    const asked = await claimed(store, request('b', '1', { outbox: DRAFT, probe: PROBE }))
    for (const held of [claim, asked]) await store.abandon(held, 'connection-lost', 1)
    clock.advance(7)
    const { operationRef } = wish
    t.strictSame(await store.claim(request('a', '2', { outbox: 'another' })), { kind: 'uncertain', since: START_MS, cause: 'connection-lost', operationRef, fence: 1, probe: null, outbox: DRAFT, ageMs: 7 })
    for (const by of [{ id: claim.id }, { operationRef }, { keyDigest: wish.keyDigest }]) t.match(await store.find(by, 1), [{ state: 'uncertain', outbox: DRAFT }])
    t.equal((await store.find({ state: 'uncertain' }, 5)).filter(({ outbox }) => outbox === DRAFT).length, 2)
    t.match(await store.doubts(10, REST), [{ id: asked.id, probe: PROBE, outbox: DRAFT }])
  })

  suite.test('a draft outlives the lease, and a take-over', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    for (const name of ['a', 'b', 'c']) await claimed(store, request(name, '1', { outbox: DRAFT }))
    clock.advance(LEASE_MS)
    t.match(await store.claim(request('a', '2')), { kind: 'uncertain', outbox: DRAFT })
    const taken = await claimed(store, request('b', '2', { onOrphan: { kind: 'take', withinMs: RETENTION_MS } }))
    t.match(await store.find({ id: taken.id }, 1), [{ state: 'in_flight', fence: 2, outbox: DRAFT }])
    await store.reap(10)
    t.match(await store.find({ id: request('c', '1').id }, 1), [{ state: 'uncertain', outbox: DRAFT }])
  })

  suite.test('a completion takes the draft along, by whomever it is, and commits the events that were made of it', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const [soon, late, resolved, freed] = await Promise.all(['a', 'b', 'c', 'd'].map((name) => claimed(store, request(name, '1', { outbox: DRAFT }))))
    if (soon === undefined || late === undefined || resolved === undefined || freed === undefined) throw new Error('four were claimed')
    await store.complete(soon, completion('soon', [event('evt_a')]))
    for (const claim of [late, resolved, freed]) await store.abandon(claim, 'deadline', 1)
    await store.complete(late, completion('late', [event('evt_b')]))
    await store.resolve(resolved.id, resolved.fence, { as: 'completed', reply: keptReply('resolved'), events: [event('evt_c')] }, null)
    await store.resolve(freed.id, freed.fence, { as: 'not-executed', operationRef: null }, null)
    for (const { id } of [soon, late, resolved]) t.match(await store.find({ id }, 1), [{ state: 'completed', outbox: null }])
    t.strictSame((await committedEvents()).map(({ id }) => id), ['evt_a', 'evt_b', 'evt_c'])
    await claimed(store, request('d', '2', { outbox: 'the second life' }))
    t.match(await store.find({ id: freed.id }, 1), [{ state: 'in_flight', outbox: 'the second life' }])
  })

  suite.test('a key that is claimed anew after its retention has the draft of its new request, or none', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    for (const name of ['a', 'b']) await store.complete(await claimed(store, request(name, '1', { outbox: DRAFT })), completion('one'))
    clock.advance(RETENTION_MS)
    const [again, without] = [await claimed(store, request('a', '2', { outbox: 'new' })), await claimed(store, request('b', '2'))]
    t.match(await store.find({ id: again.id }, 1), [{ state: 'in_flight', outbox: 'new' }])
    t.match(await store.find({ id: without.id }, 1), [{ state: 'in_flight', outbox: null }])
  })

  suite.test('drafts of any size travel with their claims', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const long = JSON.stringify({ note: 'n"\\ä'.repeat(60_000) })
    const claims = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, i) => claimed(store, request(name, '1', { outbox: i % 2 === 0 ? long : null }))))
    for (const [i, { id }] of claims.entries()) t.equal((await store.find({ id }, 1))[0]?.outbox, i % 2 === 0 ? long : null)
  })
}
