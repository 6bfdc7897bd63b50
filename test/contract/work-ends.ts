import type { Test } from 'tap'
import { OPERATIONS_SINK } from '../../src/core/operations.ts'
import type { KeyStore } from '../../src/core/ports.ts'
import type { Claim, ClaimRequest } from '../../src/core/record.ts'
import { nothingIsWritten } from './accepted.ts'
import { ALL } from './outbox/situation.ts'
import { ACT, beginning, begun, claimed, completion, event, giveUp, keptReply, LEASE_MS, readable, readableEvents, request, RETENTION_MS, START_MS, work, type KeyStoreHarness } from './situation.ts'

/** How accepted work ends otherwise than by its execution: what goes with it, and what stays. */
export function workEndsContract(suite: Test, harness: KeyStoreHarness): void {
  for (const given of ['waits', 'was given up'] as const) {
    suite.test(`a doubt that is resolved as completed has a reply and no work left, where its event ${given}`, async (t) => {
      const { store, outbox, clock, committedEvents, close } = await harness.open()
      t.teardown(close)
      const [wish, other] = [request('a', '1', { outbox: 'a draft' }), request('b', '1')]
      for (const each of [wish, other]) await store.accept(each, work(each))
      const claim = await inDoubt(store, wish)
      if (given === 'was given up') await giveUp(outbox)
      clock.advance(RETENTION_MS)
      t.equal(await store.resolve(wish.id, claim.fence, { as: 'completed', reply: keptReply('found'), events: [event('evt')] }, ACT), 'written')
      const at = START_MS + RETENTION_MS
      t.match(await store.find({ id: wish.id }, 1), [{ state: 'completed', fence: 3, completedAt: at, retainUntil: at + RETENTION_MS, outbox: null, accepted: { at: START_MS } }])
      const replay = await store.claim(request('a', '5'))
      t.strictSame(replay.kind === 'replay' && readable(replay.reply), readable(keptReply('found')))
      t.strictSame(readableEvents(await committedEvents()), readableEvents([work(other).event, event('evt')]), 'its own event alone is gone')
      t.equal(await store.resolve(wish.id, claim.fence, { as: 'completed', reply: keptReply('again'), events: [event('again')] }, ACT), 'fenced')
      await nothingIsWritten(t, store, claim)
      t.match(await store.audit(10), [{ verb: 'resolve', before: 'uncertain', operationRef: wish.operationRef }])
      t.equal((await committedEvents()).length, 2)
    })

    suite.test(`a doubt that is resolved as not executed waits again for whoever executes, where its event ${given}`, async (t) => {
      const { store, outbox, committedEvents, close } = await harness.open()
      t.teardown(close)
      const wish = request('a', '1', { probe: 'a probe', outbox: 'a draft' })
      await store.accept(wish, work(wish))
      const claim = await inDoubt(store, wish)
      if (given === 'was given up') await giveUp(outbox)
      t.equal(await store.resolve(wish.id, claim.fence, { as: 'not-executed', operationRef: 'another' }, ACT), 'fenced')
      t.equal(await store.resolve(wish.id, claim.fence, { as: 'not-executed', operationRef: wish.operationRef }, ACT), 'written')
      t.equal(await store.resolve(wish.id, claim.fence, { as: 'not-executed', operationRef: wish.operationRef }, ACT), 'fenced')
      t.match(await store.find({ id: wish.id }, 1), [{ state: 'accepted', fence: 3, attempts: 1, probe: 'a probe', outbox: 'a draft', accepted: { at: START_MS } }])
      t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
      t.match(await store.audit(10), [{ verb: 'resolve', before: 'uncertain', operationRef: wish.operationRef }])
      await nothingIsWritten(t, store, claim)
      t.equal(await store.release(claim), 'fenced', 'its holder cannot undo what was decided')
      t.strictSame(readableEvents(await committedEvents()), readableEvents([work(wish).event]))
      t.equal((await outbox.deadLetters(ALL, 10, null)).length, given === 'waits' ? 0 : 1)
      t.match(await store.begin(beginning(wish, '3')), { kind: 'claimed', claim: { fence: 4 }, recovering: false })
    })
  }

  suite.test('a resolve that nobody signs for leaves no line, and resolves the same', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const [ran, never, plain] = [request('a', '1'), request('b', '1'), request('c', '1')]
    for (const wish of [ran, never]) await store.accept(wish, work(wish))
    const doubts = [await inDoubt(store, ran), await inDoubt(store, never)]
    const own = await claimed(store, plain)
    await store.abandon(own, 'deadline', 1)
    t.equal(await store.resolve(ran.id, doubts[0]?.fence ?? 0, { as: 'completed', reply: keptReply('found'), events: [] }, null), 'written')
    t.equal(await store.resolve(never.id, doubts[1]?.fence ?? 0, { as: 'not-executed', operationRef: null }, null), 'written')
    t.equal(await store.resolve(plain.id, own.fence, { as: 'not-executed', operationRef: null }, null), 'written')
    t.strictSame((await Promise.all([ran, never, plain].map(({ id }) => store.find({ id }, 1)))).map(([found]) => found?.state), ['completed', 'accepted', undefined])
    t.strictSame(readableEvents(await committedEvents()), readableEvents([work(never).event]))
    t.strictSame(await store.audit(10), [])
  })

  for (const state of ['waits', 'waits, given up', 'is in doubt', 'is in flight, and its lease ended', 'is completed, before the relay heard of it'] as const) {
    suite.test(`an accepted operation that ${state} is forgotten with its event`, async (t) => {
      const { store, outbox, clock, committedEvents, close } = await harness.open()
      t.teardown(close)
      const [wish, other] = [request('a', '1'), request('b', '1')]
      for (const each of [wish, other]) await store.accept(each, work(each))
      if (state === 'waits, given up') await giveUp(outbox)
      if (state === 'is in doubt') await inDoubt(store, wish)
      if (state === 'is in flight, and its lease ended' || state === 'is completed, before the relay heard of it') {
        const claim = await begun(store, wish, '2')
        t.equal(await store.forget(wish.id, ACT), 'refused', 'its lease runs')
        t.equal((await committedEvents()).length, 2)
        if (state === 'is completed, before the relay heard of it') await store.complete(claim, completion('done'))
        else clock.advance(LEASE_MS)
      }
      t.equal(await store.forget(wish.id, ACT), 'forgotten')
      t.equal(await store.forget(wish.id, ACT), 'absent')
      t.strictSame(readableEvents(await committedEvents()), readableEvents([work(other).event]))
      const before = state.startsWith('waits') ? 'accepted' : state === 'is in doubt' ? 'uncertain' : state === 'is in flight, and its lease ended' ? 'in_flight' : 'completed'
      t.match(await store.audit(10), [{ verb: 'forget', before, operationRef: wish.operationRef }])
      t.strictSame(await store.begin(beginning(wish, '3')), { kind: 'gone' })
      t.match(await store.claim(request('a', '4')), { kind: 'claimed', claim: { fence: 1 }, recovering: false })
      t.match(await store.census(), { uncertain: 0, completed: 0 })
    })
  }

  suite.test('a dead letter that is thrown away frees the key that never ran, and leaves others to whoever must look into them', async (t) => {
    const { store, outbox, clock, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wishes = ['never', 'doubt', 'flying', 'done', 'kept'].map((name) => request(name, '1', { probe: 'a probe' }))
    const [never, doubt, flying, done, kept] = wishes
    if (never === undefined || doubt === undefined || flying === undefined || done === undefined || kept === undefined) throw new Error('five wishes')
    for (const wish of wishes) await store.accept(wish, work(wish))
    const [doubtful, flight] = [await inDoubt(store, doubt), await begun(store, flying, '2')]
    await store.complete(await begun(store, done, '2'), completion('done'))
    await giveUp(outbox)
    await outbox.redrive({ ...ALL, id: kept.operationRef }, 1, ACT)
    t.equal(await outbox.discard({ ...ALL, lane: 'no such lane' }, 10, ACT), 0)
    t.equal((await store.find({ state: 'accepted' }, 10)).length, 2)
    t.equal(await outbox.discard({ ...ALL, id: never.operationRef }, 10, ACT), 1)
    t.equal(await outbox.discard({ ...ALL, sink: OPERATIONS_SINK }, 10, ACT), 3)
    t.strictSame((await store.find({ state: 'accepted' }, 10)).map(({ id }) => id), [kept.id])
    t.strictSame(readableEvents(await committedEvents()), readableEvents([work(kept).event]))
    t.strictSame((await outbox.audit(10)).map(({ verb, event: id }) => `${verb} ${id}`).toSorted(), [`redrive ${kept.operationRef}`, ...[never, doubt, flying, done].map(({ operationRef }) => `discard ${operationRef}`)].toSorted())

    t.match(await store.claim(request('never', '5')), { kind: 'claimed', claim: { fence: 1 } })
    t.match(await store.claim(request('doubt', '5')), { kind: 'uncertain', operationRef: doubt.operationRef, fence: doubtful.fence }, 'a doubt like any')
    t.match(await store.claim(request('flying', '5')), { kind: 'busy', operationRef: flying.operationRef })
    t.match(await store.claim(request('done', '5')), { kind: 'replay', operationRef: done.operationRef })
    t.match(await store.claim(request('kept', '5')), { kind: 'accepted' })
    for (const wish of [never, doubt, flying]) t.strictSame(await store.begin(beginning(wish, '6')), { kind: 'gone' })
    t.equal(await store.resolve(doubt.id, doubtful.fence, { as: 'not-executed', operationRef: doubt.operationRef }, ACT), 'written')
    t.strictSame(await store.find({ id: doubt.id }, 1), [], 'nothing waits for it any more')
    t.equal(await store.release(flight), 'written')
    t.strictSame(await store.find({ id: flying.id }, 1), [])
    t.strictSame(await store.census(), { inFlight: 1, uncertain: 0, completed: 1 })
    clock.advance(RETENTION_MS)
    t.strictSame(await store.sweep(10), { deleted: 1 })
  })

  suite.test('of many dead letters as many are thrown away as were asked for, and those of other sinks touch no key', async (t) => {
    const { store, outbox, close } = await harness.open()
    t.teardown(close)
    const wishes = Array.from({ length: 30 }, (_, n) => request(`key-${n}`, '1'))
    for (const wish of wishes) await store.accept(wish, work(wish))
    const namesake = { ...event(wishes[29]?.operationRef ?? ''), flaw: null }
    await store.complete(await claimed(store, request('plain', '1')), completion('done', [{ ...event('flawed'), flaw: 'no lane' }, { ...namesake, id: 'sound' }]))
    await giveUp(outbox)
    t.equal(await outbox.discard({ ...ALL, sink: 'payments' }, 10, ACT), 1)
    t.equal((await store.find({ state: 'accepted' }, 100)).length, 30)
    t.equal(await outbox.discard(ALL, 20, ACT), 20)
    t.equal((await store.find({ state: 'accepted' }, 100)).length, 10)
    const left = new Set((await outbox.deadLetters(ALL, 100, null)).map(({ id }) => id))
    for (const { operationRef } of await store.find({ state: 'accepted' }, 100)) t.ok(left.has(operationRef), 'each still has its dead letter')
    t.equal(left.size, 10)
  })
}

async function inDoubt(store: KeyStore, wish: ClaimRequest): Promise<Claim> {
  const claim = await begun(store, wish, '2')
  await store.abandon(claim, 'connection-lost', 1)
  return claim
}
