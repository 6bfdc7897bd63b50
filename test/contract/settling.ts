import type { Test } from 'tap'
import { claimed, completion, event, LEASE_MS, readable, readableEvents, keptReply, request, START_MS, type KeyStoreHarness } from './situation.ts'

export function settlingContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('a renewed lease counts from the renewal', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    clock.advance(LEASE_MS - 1)
    t.strictSame(await store.renew([{ claim, leaseMs: LEASE_MS }]), ['written'])
    t.match(await store.claim(request('a', '2')), { kind: 'busy', retryAfterMs: LEASE_MS })
  })

  suite.test('renewals of one tick are answered one by one, in order', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const mine = await claimed(store, request('a', '1'))
    const done = await claimed(store, request('b', '1'))
    await store.complete(done, completion('done'))
    const renewals = [{ ...mine, id: 'nobody knows' }, mine, { ...mine, fence: 2 }, done].map((claim) => ({ claim, leaseMs: LEASE_MS }))
    t.strictSame(await store.renew(renewals), ['fenced', 'written', 'fenced', 'fenced'])
    t.strictSame(await store.renew([]), [])
  })

  suite.test('a lease that ended unseen can still be renewed, one that was seen to end cannot', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    clock.advance(LEASE_MS + 1)
    t.strictSame(await store.renew([{ claim, leaseMs: LEASE_MS }]), ['written'])
    clock.advance(LEASE_MS + 1)
    await store.reap(10)
    t.strictSame(await store.renew([{ claim, leaseMs: LEASE_MS }]), ['fenced'])
  })

  suite.test('a released key is new for the next holder', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    t.equal(await store.release(claim), 'written')
    t.strictSame(await store.find({ id: claim.id }, 1), [])
    t.match(await store.claim(request('a', '2')), { kind: 'claimed', claim: { fence: 1 }, recovering: false })
  })

  suite.test('a release that is repeated after the key has a new holder changes nothing', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const old = await claimed(store, request('a', '1'))
    await store.release(old)
    t.equal(await store.release(old), 'written', 'nothing there is what it wants')
    const next = await claimed(store, request('a', '2'))
    t.equal(await store.release(old), 'fenced')
    t.equal(await store.complete(old, completion('of the old holder')), 'fenced')
    t.equal(await store.abandon(old, 'deadline', 1), 'fenced')
    t.equal(await store.complete(next, completion('of the new holder')), 'written')
  })

  suite.test('writes of a holder that was never granted anything are fenced', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    for (const stranger of [{ ...claim, holder: 'somebody else' }, { ...claim, fence: 2 }, { ...claim, fence: 0 }]) {
      t.equal(await store.complete(stranger, completion('stolen', [event('stolen')])), 'fenced')
      t.equal(await store.abandon(stranger, 'deadline', 1), 'fenced')
      t.equal(await store.release(stranger), 'fenced')
      t.strictSame(await store.renew([{ claim: stranger, leaseMs: LEASE_MS }]), ['fenced'])
    }
    t.match(await store.find({ id: claim.id }, 1), [{ state: 'in_flight', holder: claim.holder, fence: 1, leaseUntil: START_MS + LEASE_MS }])
  })

  suite.test('a completion of a key that is not there is fenced', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    t.equal(await store.complete({ id: 'nobody knows', holder: 'anybody', fence: 1 }, completion('x', [event('x')])), 'fenced')
    t.equal(await store.abandon({ id: 'nobody knows', holder: 'anybody', fence: 1 }, 'deadline', 1), 'fenced')
    t.strictSame(await committedEvents(), [])
  })

  suite.test('a completion that is repeated is told so, and the first one stays', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    t.equal(await store.complete(claim, completion('first', [event('e1')])), 'written')
    t.equal(await store.complete(claim, completion('second', [event('e2')])), 'written')
    t.equal(await store.release(claim), 'fenced', 'what is completed is not released')
    t.equal(await store.abandon(claim, 'deadline', 1), 'fenced', 'nor put in doubt')
    const outcome = await store.claim(request('a', '2'))
    t.strictSame(outcome.kind === 'replay' && readable(outcome.reply), readable(keptReply('first')))
    t.strictSame(readableEvents(await committedEvents()), readableEvents([event('e1')]))
  })

  suite.test('events commit with the completion that they belong to, in its order', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const [a, b] = [await claimed(store, request('a', '1')), await claimed(store, request('b', '1'))]
    t.strictSame(await committedEvents(), [], 'a claim has none')
    await store.complete(a, completion('a', [event('a1'), event('a2')]))
    await store.complete(b, completion('b', [event('b1')]))
    t.strictSame(readableEvents(await committedEvents()), readableEvents([event('a1'), event('a2'), event('b1')]))
  })

  suite.test('a fenced completion commits no event', async (t) => {
    const { store, clock, committedEvents, close } = await harness.open()
    t.teardown(close)
    const old = await claimed(store, request('a', '1'))
    clock.advance(LEASE_MS)
    const taker = await claimed(store, request('a', '2', { onOrphan: { kind: 'take', withinMs: 2 * LEASE_MS } }))
    t.equal(await store.complete(old, completion('late', [event('late')])), 'fenced')
    t.strictSame(await committedEvents(), [])
    t.equal(await store.complete(taker, completion('right', [event('right')])), 'written')
    t.strictSame(readableEvents(await committedEvents()), readableEvents([event('right')]))
  })

  suite.test('completions that leave together are each answered and kept', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const names = Array.from({ length: 100 }, (_, n) => `key-${n}`)
    const claims = await Promise.all(names.map((name) => claimed(store, request(name, '1'))))
    const strangers = claims.map((claim) => ({ ...claim, holder: 'a stranger' }))
    const written = await Promise.all(claims.flatMap((claim, n) => [
      store.complete(strangers[n] ?? claim, completion('stolen', [event(`stolen-${n}`)])),
      store.complete(claim, completion(`reply ${n}`, [event(`event-${n}`)])),
    ]))
    t.strictSame(written, claims.flatMap(() => ['fenced', 'written']))
    const replays = await Promise.all(names.map((name) => store.claim(request(name, '2'))))
    for (const [n, replay] of replays.entries()) t.strictSame(replay.kind === 'replay' && readable(replay.reply), readable(keptReply(`reply ${n}`)))
    t.strictSame((await committedEvents()).map(({ id }) => id).toSorted(), names.map((_, n) => `event-${n}`).toSorted())
  })
}
