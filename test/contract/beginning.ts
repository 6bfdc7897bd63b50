import type { Test } from 'tap'
import type { Begun, BeginRequest, OnOrphan } from '../../src/core/record.ts'
import { nothingIsWritten } from './accepted.ts'
import { ACT, beginning, begun, claimed, completion, event, keptReply, LEASE_MS, readable, readableEvents, request, RETENTION_MS, START_MS, work, type KeyStoreHarness } from './situation.ts'

const WAITED_MS = 5 * RETENTION_MS
const TAKE: OnOrphan = { kind: 'take', withinMs: 2 * LEASE_MS }

/** The execution of what was accepted: who may, and how it ends. */
export function beginningContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('what waits is begun as a claim of its own, and its times count from then', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1', { probe: 'a probe', outbox: 'a draft' })
    await store.accept(wish, work(wish))
    clock.advance(WAITED_MS)
    const at = START_MS + WAITED_MS
    const wanted = beginning(wish, '2')
    t.strictSame(await store.begin(wanted), { kind: 'claimed', claim: { id: wish.id, holder: wanted.holder, fence: 2 }, recovering: false, retainUntil: at + RETENTION_MS, outbox: 'a draft' })
    t.match(await store.find({ id: wish.id }, 1), [{
      state: 'in_flight', leaseUntil: at + LEASE_MS, holder: wanted.holder, fence: 2, createdAt: at, retainUntil: at + RETENTION_MS, attempts: 0,
      probe: 'a probe', outbox: 'a draft', accepted: { at: START_MS }, operationRef: wish.operationRef, fingerprint: wish.fingerprint,
    }])
    t.strictSame(await store.census(), { inFlight: 1, uncertain: 0, completed: 0 })
    t.strictSame((await store.find({ state: 'in_flight' }, 10)).map(({ id }) => id), [wish.id])
    t.strictSame(await store.find({ state: 'accepted' }, 10), [])
  })

  suite.test('a begin that is repeated is granted again, and nobody knows any more whether something was sent before', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    await store.accept(wish, work(wish))
    const first = await store.begin(beginning(wish, '2'))
    clock.advance(LEASE_MS + 1)
    t.strictSame(await store.begin(beginning(wish, '2')), first, 'also past its lease')
    t.strictSame(await store.begin(beginning(wish, '2', TAKE)), { ...first, recovering: true })
  })

  suite.test('one that is executed by somebody else is busy, for the rest of the lease', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    await store.accept(wish, work(wish))
    const claim = await begun(store, wish, '2')
    clock.advance(20_000)
    for (const onOrphan of [undefined, TAKE]) t.strictSame(await store.begin(beginning(wish, '3', onOrphan)), { kind: 'busy', retryAfterMs: LEASE_MS - 20_000 })
    t.strictSame(await store.renew([{ claim, leaseMs: LEASE_MS }]), ['written'])
    t.match(await store.begin(beginning(wish, '3')), { kind: 'busy', retryAfterMs: LEASE_MS })
  })

  suite.test('a lease that ended is a doubt, and a doubt stays one under a policy that holds', async (t) => {
    const { store, clock, woken, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1', { probe: 'a probe', outbox: 'a draft' })
    await store.accept(wish, work(wish))
    const claim = await begun(store, wish, '2')
    t.equal(await store.flag(wish.id), 'flagged')
    clock.advance(LEASE_MS)
    const doubt: Begun = { kind: 'uncertain', since: START_MS + LEASE_MS, cause: 'lease-expired', fence: 2, probe: 'a probe', outbox: 'a draft', ageMs: 0 }
    t.strictSame(await store.begin(beginning(wish, '3')), doubt)
    await store.census()
    t.strictSame(woken, [wish.id], 'who waits is told')
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 1, completed: 0 })
    clock.advance(7)
    t.strictSame(await store.begin(beginning(wish, '4')), { ...doubt, ageMs: 7 })
    t.match(await store.doubts(10, { shortestMs: 1, longestMs: 1 }), [{ id: wish.id, fence: 2, operationRef: wish.operationRef, probe: 'a probe' }])
    t.equal(await store.abandon(claim, 'deadline', 1), 'written', 'its own holder says the same')
    t.match(await store.find({ id: wish.id }, 1), [{ state: 'uncertain', cause: 'lease-expired', accepted: { at: START_MS } }])
  })

  suite.test('a policy that sends again takes over, within its time from the first begin on', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wishes = ['lease', 'doubt', 'late'].map((name) => request(name, '1'))
    for (const wish of wishes) await store.accept(wish, work(wish))
    clock.advance(WAITED_MS)
    const [lease, doubt, late] = wishes
    if (lease === undefined || doubt === undefined || late === undefined) throw new Error('three wishes')
    const old = await begun(store, lease, '2')
    await store.abandon(await begun(store, doubt, '2'), 'connection-lost', 1)
    await store.abandon(await begun(store, late, '2'), 'connection-lost', 1)
    clock.advance(LEASE_MS)
    for (const wish of [lease, doubt]) {
      t.match(await store.begin(beginning(wish, '3', TAKE)), { kind: 'claimed', claim: { fence: 3 }, recovering: true, retainUntil: START_MS + WAITED_MS + RETENTION_MS })
      t.match(await store.find({ id: wish.id }, 1), [{ state: 'in_flight', leaseUntil: START_MS + WAITED_MS + 2 * LEASE_MS, createdAt: START_MS + WAITED_MS }])
    }
    await nothingIsWritten(t, store, old)
    t.equal(await store.release(old), 'fenced')
    clock.advance(LEASE_MS)
    t.match(await store.begin(beginning(late, '3', TAKE)), { kind: 'uncertain', cause: 'connection-lost', fence: 2 }, 'its time is over')
    t.match(await store.begin(beginning(lease, '4', TAKE)), { kind: 'uncertain', cause: 'lease-expired', fence: 3 })
  })

  suite.test('what is completed is not begun, and what is not there, or another\'s, is gone', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const [wish, plain] = [request('a', '1'), request('b', '1')]
    await store.accept(wish, work(wish))
    await claimed(store, plain)
    const gone = { kind: 'gone' }
    const anothers: readonly [string, BeginRequest][] = [
      ['another operation', { ...beginning(wish, '2'), operationRef: 'another' }], ['nobody knows it', beginning(request('c', '1'), '2')], ['its client claimed it', beginning(plain, '2')],
    ]
    for (const [name, wanted] of anothers) t.strictSame(await store.begin(wanted), gone, name)
    await store.complete(await begun(store, wish, '2'), completion('done'))
    for (const onOrphan of [undefined, TAKE]) t.strictSame(await store.begin(beginning(wish, '3', onOrphan)), { kind: 'completed' })
    clock.advance(RETENTION_MS)
    t.strictSame(await store.begin(beginning(wish, '4')), gone, 'past its retention')
  })

  suite.test('of many that begin at once one does', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wishes = Array.from({ length: 40 }, (_, n) => request(`key-${n}`, '1'))
    await Promise.all(wishes.map((wish) => store.accept(wish, work(wish))))
    const begins = await Promise.all(wishes.flatMap((wish) => ['2', '3', '4'].map((holder) => store.begin(beginning(wish, holder)))))
    for (const [n] of wishes.entries()) t.strictSame(begins.slice(3 * n, 3 * n + 3).map(({ kind }) => kind).toSorted(), ['busy', 'busy', 'claimed'])
    t.match(await store.census(), { inFlight: 40 })
  })

  suite.test('what is released waits again with its event, is begun under a higher fence, and is told once', async (t) => {
    const { store, clock, woken, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1', { probe: 'a probe', outbox: 'a draft' })
    await store.accept(wish, work(wish))
    const first = await begun(store, wish, '2')
    t.equal(await store.flag(wish.id), 'flagged')
    t.equal(await store.release({ ...first, holder: 'a stranger' }), 'fenced')
    t.equal(await store.release(first), 'written')
    t.equal(await store.release(first), 'written', 'repeated')
    t.strictSame(woken, [wish.id])
    t.match(await store.find({ id: wish.id }, 1), [{ state: 'accepted', holder: first.holder, fence: 2, probe: 'a probe', outbox: 'a draft', accepted: { at: START_MS } }])
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
    await nothingIsWritten(t, store, first)
    clock.advance(WAITED_MS)
    const second = await begun(store, wish, '3')
    t.equal(second.fence, 3)
    t.match(await store.find({ id: wish.id }, 1), [{ createdAt: START_MS + WAITED_MS, retainUntil: START_MS + WAITED_MS + RETENTION_MS }])
    t.equal(await store.release(first), 'fenced', 'it is somebody else\'s now')
    await store.abandon(second, 'connection-lost', 1)
    t.equal(await store.release(second), 'written', 'a late release of its own holder')
    t.match(await store.find({ id: wish.id }, 1), [{ state: 'accepted', fence: 3, attempts: 1 }])
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
    t.strictSame(readableEvents(await committedEvents()), readableEvents([work(wish).event]))
  })

  suite.test('releases of accepted and of claimed keys that leave together do each what is theirs', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wishes = Array.from({ length: 30 }, (_, n) => request(`key-${n}`, '1'))
    const claims = await Promise.all(wishes.map(async (wish, n) => {
      if (n % 2 === 0) return claimed(store, wish)
      await store.accept(wish, work(wish))
      return begun(store, wish, '2')
    }))
    t.strictSame(await Promise.all(claims.map((claim) => store.release(claim))), claims.map(() => 'written'))
    for (const [n, { id }] of wishes.entries()) t.strictSame((await store.find({ id }, 1)).map(({ state }) => state), n % 2 === 0 ? [] : ['accepted'])
  })

  suite.test('a reply is kept as long as any other, from its completion on, and the relay tells the outbox itself', async (t) => {
    const { store, clock, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wishes = ['soon', 'late'].map((name) => request(name, '1', { probe: 'a probe', outbox: 'a draft' }))
    for (const wish of wishes) {
      await store.accept(wish, work(wish))
      clock.advance(WAITED_MS)
      const claim = await begun(store, wish, '2')
      clock.advance(1000)
      if (wish === wishes[1]) await store.abandon(claim, 'deadline', 1)
      clock.advance(RETENTION_MS)
      t.equal(await store.complete(claim, completion('done', [event(`event-of-${wish.operationRef}`)])), 'written')
      t.equal(await store.complete(claim, completion('again')), 'written', 'repeated')
      const at = clock.wallMs()
      t.match(await store.find({ id: wish.id }, 1), [{ state: 'completed', completedAt: at, retainUntil: at + RETENTION_MS, probe: null, outbox: null, accepted: { owner: work(wish).owner } }])
      clock.advance(RETENTION_MS - 1)
      t.strictSame(await store.sweep(10), { deleted: 0 })
      const replay = await store.claim(request(wish === wishes[0] ? 'soon' : 'late', '5'))
      t.strictSame(replay.kind === 'replay' && readable(replay.reply), readable(keptReply('done')))
      clock.advance(1)
      t.strictSame(await store.sweep(10), { deleted: 1 })
    }
    t.strictSame((await committedEvents()).map(({ id }) => id), wishes.flatMap(({ operationRef }) => [operationRef, `event-of-${operationRef}`]))
  })

  suite.test('a lease that nobody renews is a doubt for upkeep, as any other is', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const [begunOne, waiting] = [request('a', '1'), request('b', '1')]
    for (const wish of [begunOne, waiting]) await store.accept(wish, work(wish))
    await begun(store, begunOne, '2')
    clock.advance(LEASE_MS)
    t.strictSame(await store.reap(10), { orphaned: 1 })
    t.match(await store.find({ state: 'uncertain' }, 10), [{ id: begunOne.id, cause: 'lease-expired', accepted: { at: START_MS } }])
    t.equal(await store.evict(begunOne.id, ACT), 'refused')
  })
}
