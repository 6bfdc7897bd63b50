import type { Test } from 'tap'
import type { OnOrphan, Resolution } from '../../src/core/record.ts'
import { claimed, completion, event, keptReply, LEASE_MS, readable, readableEvents, request, RETENTION_MS, START_MS, type KeyStoreHarness } from './situation.ts'

const HOUR_MS = 3_600_000
const TAKE: OnOrphan = { kind: 'take', withinMs: HOUR_MS }

export function doubtsContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('an abandoned key is in doubt, and stays so', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    const claim = await claimed(store, first)
    clock.advance(5)
    t.equal(await store.abandon(claim, 'connection-lost', 2), 'written')
    clock.advance(5)
    t.equal(await store.abandon(claim, 'deadline', 9), 'written', 'repeated, it changes nothing')
    const doubt = { kind: 'uncertain', since: START_MS + 5, cause: 'connection-lost', operationRef: first.operationRef, fence: 1, probe: null, outbox: null, ageMs: 5 }
    t.strictSame(await store.claim(request('a', '2')), doubt)
    clock.advance(10 * RETENTION_MS)
    t.strictSame(await store.claim(request('a', '3')), { ...doubt, ageMs: 5 + 10 * RETENTION_MS }, 'past its retention too')
    t.match(await store.find({ id: claim.id }, 1), [{ state: 'uncertain', attempts: 2, holder: claim.holder, fence: 1 }])
  })

  suite.test('a claim on an orphan that is held finds a doubt', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    await claimed(store, first)
    clock.advance(LEASE_MS)
    const doubt = { kind: 'uncertain', since: START_MS + LEASE_MS, cause: 'lease-expired', operationRef: first.operationRef, fence: 1, probe: null, outbox: null, ageMs: 0 }
    t.strictSame(await store.claim(request('a', '2')), doubt)
    clock.advance(1000)
    t.strictSame(await store.claim(request('a', '3')), { ...doubt, ageMs: 1000 }, 'counted from when it was first seen')
  })

  for (const orphaned of ['whose lease ended', 'that was reaped', 'that was abandoned'] as const) {
    suite.test(`a claim that takes gets an orphan ${orphaned}, under a higher fence`, async (t) => {
      const { store, clock, close } = await harness.open()
      t.teardown(close)
      const first = request('a', '1')
      const old = await claimed(store, first)
      if (orphaned === 'that was abandoned') await store.abandon(old, 'connection-lost', 1)
      else clock.advance(LEASE_MS)
      if (orphaned === 'that was reaped') await store.reap(10)
      const taker = request('a', '2', { onOrphan: TAKE })
      const outcome = await store.claim(taker)
      t.match(outcome, { kind: 'claimed', claim: { id: old.id, holder: taker.holder, fence: 2 }, recovering: true, operationRef: first.operationRef })
      t.strictSame(await store.claim(taker), outcome, 'and is answered the same when it asks again')
      t.equal(await store.complete(old, completion('late')), 'fenced')
      t.equal(await store.release(old), 'fenced')
      t.equal(await store.abandon(old, 'deadline', 1), 'fenced')
      t.strictSame(await store.renew([{ claim: old, leaseMs: LEASE_MS }]), ['fenced'])
      t.match(await store.claim(request('a', '3', { onOrphan: TAKE })), { kind: 'busy', retryAfterMs: LEASE_MS })
    })
  }

  suite.test('an orphan is taken only within the time that counts from its first dispatch', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    await claimed(store, request('a', '1'))
    clock.advance(HOUR_MS - 1)
    t.match(await store.claim(request('a', '2', { onOrphan: TAKE })), { kind: 'claimed', claim: { fence: 2 } })
    clock.advance(LEASE_MS)
    t.match(await store.claim(request('a', '3', { onOrphan: TAKE })), { kind: 'uncertain', cause: 'lease-expired' })
  })

  suite.test('of many that race for an orphan exactly one takes it', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    await claimed(store, request('a', 'gone'))
    clock.advance(LEASE_MS)
    const outcomes = await Promise.all(Array.from({ length: 32 }, (_, n) => store.claim(request('a', String(n), { onOrphan: TAKE }))))
    t.equal(outcomes.filter(({ kind }) => kind === 'claimed').length, 1)
    t.equal(outcomes.filter(({ kind }) => kind === 'busy').length, 31)
  })

  for (const seen of [false, true]) {
    suite.test(`the holder that comes late still knows the true answer, ${seen ? 'though the doubt was seen' : 'unseen'}`, async (t) => {
      const { store, clock, committedEvents, close } = await harness.open()
      t.teardown(close)
      const claim = await claimed(store, request('a', '1'))
      clock.advance(LEASE_MS + HOUR_MS)
      if (seen) t.match(await store.claim(request('a', '2')), { kind: 'uncertain' })
      t.equal(await store.complete(claim, completion('true', [event('e1')])), 'written')
      const outcome = await store.claim(request('a', '3'))
      t.strictSame(outcome.kind === 'replay' && readable(outcome.reply), readable(keptReply('true')))
      t.strictSame(readableEvents(await committedEvents()), readableEvents([event('e1')]))
    })
  }

  suite.test('a late holder releases what it never sent', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    clock.advance(LEASE_MS)
    await store.reap(10)
    t.equal(await store.release(claim), 'written')
    t.match(await store.claim(request('a', '2')), { kind: 'claimed' })
  })

  suite.test('the answer to a doubt is kept as long as any other, from when it came', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    await store.abandon(claim, 'deadline', 1)
    clock.advance(3 * RETENTION_MS)
    await store.complete(claim, completion('true'))
    clock.advance(RETENTION_MS - 1)
    t.match(await store.claim(request('a', '2')), { kind: 'replay' })
  })

  suite.test('a doubt resolved as completed is replayed, and its holder comes too late', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    await store.abandon(claim, 'connection-lost', 1)
    const resolution: Resolution = { as: 'completed', reply: keptReply('resolved'), events: [event('resolved')] }
    t.equal(await store.resolve(claim.id, claim.fence, resolution, null), 'written')
    t.equal(await store.complete(claim, completion('late', [event('late')])), 'fenced')
    t.equal(await store.release(claim), 'fenced')
    t.equal(await store.resolve(claim.id, claim.fence, { as: 'not-executed', operationRef: null }, null), 'fenced', 'nobody resolves twice')
    const outcome = await store.claim(request('a', '2'))
    t.strictSame(outcome.kind === 'replay' && readable(outcome.reply), readable(keptReply('resolved')))
    t.strictSame(readableEvents(await committedEvents()), readableEvents([event('resolved')]))
  })

  suite.test('a doubt resolved as not executed is new again', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    await store.abandon(claim, 'connection-lost', 1)
    t.equal(await store.resolve(claim.id, claim.fence, { as: 'not-executed', operationRef: null }, null), 'written')
    t.equal(await store.complete(claim, completion('late')), 'fenced')
    t.match(await store.claim(request('a', '2')), { kind: 'claimed', recovering: false })
  })

  suite.test('a doubt of the key\'s next life is not the one that was looked into', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    const first = await claimed(store, wish)
    await store.abandon(first, 'connection-lost', 1)
    const { operationRef } = wish
    t.equal(await store.resolve(first.id, first.fence, { as: 'not-executed', operationRef }, null), 'written')
    const second = await claimed(store, request('a', '2'))
    await store.abandon(second, 'connection-lost', 1)
    t.equal(second.fence, first.fence)
    t.equal(await store.resolve(first.id, first.fence, { as: 'not-executed', operationRef }, null), 'fenced')
    t.match(await store.find({ id: first.id }, 1), [{ state: 'uncertain', holder: second.holder }])
  })

  suite.test('only a doubt is resolved, and only under the fence that was looked at', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const resolution: Resolution = { as: 'completed', reply: keptReply('no'), events: [event('no')] }
    t.equal(await store.resolve('nobody knows', 1, resolution, null), 'fenced')
    const flying = await claimed(store, request('a', '1'))
    t.equal(await store.resolve(flying.id, flying.fence, resolution, null), 'fenced')
    await store.abandon(flying, 'deadline', 1)
    t.equal(await store.resolve(flying.id, flying.fence + 1, resolution, null), 'fenced')
    t.equal(await store.resolve(flying.id, flying.fence - 1, { as: 'not-executed', operationRef: null }, null), 'fenced')
    t.match(await store.find({ id: flying.id }, 1), [{ state: 'uncertain' }])
    t.strictSame(await committedEvents(), [])
  })

  suite.test('of a resolve and a late completion that race exactly one is written', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const names = Array.from({ length: 20 }, (_, n) => `key-${n}`)
    for (const name of names) {
      const claim = await claimed(store, request(name, '1'))
      await store.abandon(claim, 'deadline', 1)
      const late = (): Promise<string> => store.complete(claim, completion('late'))
      const decided = (): Promise<string> => store.resolve(claim.id, claim.fence, { as: 'completed', reply: keptReply('resolved'), events: [] }, null)
      const written = await Promise.all(name.endsWith('1') ? [decided(), late()] : [late(), decided()])
      t.strictSame(written.toSorted(), ['fenced', 'written'])
    }
  })
}
