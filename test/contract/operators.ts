import type { Test } from 'tap'
import type { AuditEntry } from '../../src/core/record.ts'
import { ACT, claimed, completion, event, keptReply, LEASE_MS, readable, readableEvents, request, RETENTION_MS, START_MS, type KeyStoreHarness } from './situation.ts'

/** What operators do to records, what is written down of it, and who is told that a record moved on. */
export function operatorsContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('an evicted reply is completed and not kept, for whoever asks and for as long as before', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    const claim = await claimed(store, first)
    await store.complete(claim, completion('personal data'))
    clock.advance(5)
    t.equal(await store.evict(claim.id, ACT), 'evicted')
    t.match(await store.claim(request('a', '2')), { kind: 'replay', reply: { kind: 'not-kept', status: 201 }, fence: claim.fence, operationRef: first.operationRef, retainUntil: START_MS + RETENTION_MS })
    t.match(await store.find({ id: claim.id }, 1), [{ state: 'completed', completedAt: START_MS, attempts: 1, holder: claim.holder, fence: 1, reply: { kind: 'not-kept', status: 201 } }])
    t.equal(await store.complete(claim, completion('personal data')), 'written', 'the holder that repeats itself is told the same as before')
    t.match(await store.claim(request('a', '3')), { kind: 'replay', reply: { kind: 'not-kept' } }, 'and brings nothing back')
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 1 })
    clock.advance(RETENTION_MS)
    t.match(await store.claim(request('a', '4')), { kind: 'claimed' })
  })

  suite.test('only a completed reply is evicted', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    t.equal(await store.evict('nobody knows', ACT), 'absent')
    const claim = await claimed(store, request('a', '1'))
    t.equal(await store.evict(claim.id, ACT), 'refused', 'in flight')
    clock.advance(LEASE_MS)
    t.equal(await store.evict(claim.id, ACT), 'refused', 'in flight, and its lease ended')
    await store.abandon(claim, 'deadline', 1)
    t.equal(await store.evict(claim.id, ACT), 'refused', 'in doubt')
    t.match(await store.find({ id: claim.id }, 1), [{ state: 'uncertain' }])
    await store.complete(claim, completion('late'))
    clock.advance(2 * RETENTION_MS)
    t.equal(await store.evict(claim.id, ACT), 'absent', 'past its retention it counts as gone')
    t.strictSame(await store.audit(10), [], 'what was refused is no change')
  })

  suite.test('a reply that is not kept is evicted already, and an eviction repeated stands in the audit trail once', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    await store.complete(claim, completion('text'))
    t.equal(await store.evict(claim.id, ACT), 'evicted')
    t.equal(await store.evict(claim.id, ACT), 'evicted')
    t.equal((await store.audit(10)).length, 1)
  })

  for (const state of ['completed', 'in doubt', 'in flight whose lease ended', 'evicted'] as const) {
    suite.test(`a key that is ${state} is forgotten: the next request runs, and the old holder changes nothing`, async (t) => {
      const { store, clock, committedEvents, close } = await harness.open()
      t.teardown(close)
      const old = await claimed(store, request('a', '1'))
      if (state === 'completed' || state === 'evicted') await store.complete(old, completion('old'))
      if (state === 'evicted') await store.evict(old.id, ACT)
      if (state === 'in doubt') await store.abandon(old, 'connection-lost', 1)
      if (state === 'in flight whose lease ended') clock.advance(LEASE_MS)
      t.equal(await store.forget(old.id, ACT), 'forgotten')
      t.strictSame(await store.find({ id: old.id }, 1), [])
      t.equal(await store.forget(old.id, ACT), 'absent')
      t.equal(await store.complete(old, completion('late', [event('late')])), 'fenced')
      t.equal(await store.abandon(old, 'deadline', 1), 'fenced')
      t.strictSame(await store.renew([{ claim: old, leaseMs: LEASE_MS }]), ['fenced'])
      t.equal(await store.release(old), 'written', 'nothing there is what a release wants')
      t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
      const next = request('a', '2', { fingerprint: 'print-2'.padEnd(43, '_') })
      t.match(await store.claim(next), { kind: 'claimed', claim: { fence: 1 }, recovering: false, operationRef: next.operationRef })
      t.equal(await store.complete(old, completion('late', [event('late')])), 'fenced')
      t.equal(await store.release(old), 'fenced')
      t.equal(await store.abandon(old, 'deadline', 1), 'fenced')
      t.match(await store.find({ id: old.id }, 1), [{ state: 'in_flight', holder: next.holder, attempts: 0 }])
      t.strictSame(await committedEvents(), [])
    })
  }

  suite.test('a key whose lease runs is not forgotten, and neither is one that nobody knows', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    clock.advance(LEASE_MS - 1)
    t.equal(await store.forget(claim.id, ACT), 'refused')
    t.equal(await store.forget('nobody knows', ACT), 'absent')
    t.equal(await store.complete(claim, completion('done')), 'written')
    clock.advance(RETENTION_MS)
    t.equal(await store.forget(claim.id, ACT), 'absent', 'past its retention it is free already')
    t.strictSame(await store.audit(10), [])
  })

  suite.test('every act is written down, newest first: who, when, why, and the state before', async (t) => {
    const { store, clock, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wishes = ['a', 'b', 'c', 'd'].map((name) => request(name, '1'))
    const [a, b, c, d] = await Promise.all(wishes.map((wish) => claimed(store, wish)))
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('four claims')
    await store.complete(a, completion('a'))
    await store.abandon(b, 'deadline', 1)
    await store.abandon(c, 'deadline', 1)
    clock.advance(1)
    await store.evict(a.id, { by: 'ada', reason: 'erasure, "ticket 7"\nsecond line' })
    clock.advance(1)
    await store.resolve(b.id, b.fence, { as: 'completed', reply: keptReply('found'), events: [event('b')] }, { by: 'grace', reason: 'seen in the ledger' })
    clock.advance(1)
    await store.resolve(c.id, c.fence, { as: 'not-executed', operationRef: null }, { by: 'grace', reason: 'not in the ledger' })
    clock.advance(LEASE_MS)
    await store.forget(d.id, { by: 'ada', reason: '\u00e9' })
    const line = (n: number, verb: AuditEntry['verb'], before: AuditEntry['before'], at: number, by: string, reason: string): AuditEntry => {
      const wish = wishes[n]
      if (wish === undefined) throw new Error('no such wish')
      return { at: START_MS + at, verb, id: wish.id, operationRef: wish.operationRef, before, by, reason }
    }
    const trail = [
      line(3, 'forget', 'in_flight', 3 + LEASE_MS, 'ada', '\u00e9'),
      line(2, 'resolve', 'uncertain', 3, 'grace', 'not in the ledger'),
      line(1, 'resolve', 'uncertain', 2, 'grace', 'seen in the ledger'),
      line(0, 'evict', 'completed', 1, 'ada', 'erasure, "ticket 7"\nsecond line'),
    ]
    t.strictSame((await store.audit(10)).map((entry) => ({ ...entry })), trail)
    t.strictSame((await store.audit(2)).map((entry) => ({ ...entry })), trail.slice(0, 2), 'not more than asked for')
    const replay = await store.claim(request('b', '2'))
    t.strictSame(replay.kind === 'replay' && readable(replay.reply), readable(keptReply('found')))
    t.strictSame(readableEvents(await committedEvents()), readableEvents([event('b')]))
  })

  suite.test('a resolve that is fenced, or is nobody\'s act, is not in the audit trail', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const [a, b] = [await claimed(store, request('a', '1')), await claimed(store, request('b', '1'))]
    t.equal(await store.resolve(a.id, a.fence, { as: 'not-executed', operationRef: null }, ACT), 'fenced', 'it is in flight')
    for (const claim of [a, b]) await store.abandon(claim, 'deadline', 1)
    t.equal(await store.resolve(a.id, a.fence + 1, { as: 'not-executed', operationRef: null }, ACT), 'fenced')
    t.equal(await store.resolve(b.id, b.fence, { as: 'not-executed', operationRef: null }, null), 'written')
    t.strictSame(await store.audit(10), [])
  })

  for (const end of ['complete', 'release', 'abandon'] as const) {
    suite.test(`who waits for a record in flight is told once it left: ${end}`, async (t) => {
      const { store, woken, close } = await harness.open()
      t.teardown(close)
      const claim = await claimed(store, request('a', '1'))
      const unwatched = await claimed(store, request('b', '1'))
      t.equal(await store.flag(claim.id), 'flagged')
      t.equal(await store.flag(claim.id), 'flagged', 'a second waiter likewise')
      t.strictSame(await store.renew([{ claim, leaseMs: LEASE_MS }]), ['written'])
      t.equal(await store.complete({ ...claim, fence: 9 }, completion('not mine')), 'fenced')
      t.strictSame(woken, [], 'it is still in flight')
      await store.complete(unwatched, completion('unwatched'))
      if (end === 'complete') await store.complete(claim, completion('done'))
      if (end === 'release') await store.release(claim)
      if (end === 'abandon') await store.abandon(claim, 'deadline', 1)
      t.equal(await store.flag(claim.id), 'settled')
      t.strictSame(woken, [claim.id])
    })
  }

  suite.test('a record that is not in flight, or not there, is told as settled', async (t) => {
    const { store, woken, close } = await harness.open()
    t.teardown(close)
    t.equal(await store.flag('nobody knows'), 'settled')
    const claim = await claimed(store, request('a', '1'))
    await store.abandon(claim, 'deadline', 1)
    t.equal(await store.flag(claim.id), 'settled')
    await store.resolve(claim.id, claim.fence, { as: 'not-executed', operationRef: null }, ACT)
    const again = await claimed(store, request('a', '2'))
    await store.complete(again, completion('done'))
    t.equal(await store.flag(claim.id), 'settled')
    t.strictSame(woken, [], 'a flag that was refused is not set')
  })

  suite.test('of a flag and a settle that race nobody is left waiting', async (t) => {
    const { store, woken, close } = await harness.open()
    t.teardown(close)
    const names = Array.from({ length: 20 }, (_, n) => `key-${n}`)
    for (const [n, name] of names.entries()) {
      const claim = await claimed(store, request(name, '1'))
      const flag = (): Promise<string> => store.flag(claim.id)
      const settle = (): Promise<string> => store.complete(claim, completion('done'))
      const [first, second] = n % 2 === 0 ? [flag(), settle()] : [settle(), flag()]
      const said = (await Promise.all([first, second]))[n % 2]
      await store.census()
      t.ok(said === 'settled' || woken.includes(claim.id), `${name}: ${said}`)
    }
  })

  suite.test('a lease that ended is forgotten under its waiters, and they are told', async (t) => {
    const { store, clock, woken, close } = await harness.open()
    t.teardown(close)
    const claim = await claimed(store, request('a', '1'))
    t.equal(await store.flag(claim.id), 'flagged')
    clock.advance(LEASE_MS)
    t.equal(await store.forget(claim.id, ACT), 'forgotten')
    await store.census()
    t.strictSame(woken, [claim.id])
  })
}
