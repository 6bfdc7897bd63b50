import type { Test } from 'tap'
import { OPERATIONS_SINK } from '../../src/core/operations.ts'
import type { KeyStore } from '../../src/core/ports.ts'
import type { ClaimRequest } from '../../src/core/record.ts'
import { delivered, EVERYTHING, led } from './outbox/situation.ts'
import { ACT, begun, claimed, completion, event, keptReply, LEASE_MS, OWNER, readable, readableEvents, request, RETENTION_MS, START_MS, work, type KeyStoreHarness, type OpenStore } from './situation.ts'

/** Requests that are stored and answered at once: what stands there then, and what others are told of it. */
export function acceptedContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('what is accepted is stored with its event, in flight nowhere and counted by nobody', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1', { probe: '{"probe":1}', outbox: '{"draft":1}' })
    t.strictSame(await store.accept(wish, work(wish)), { kind: 'accepted', operationRef: wish.operationRef, fresh: true })
    const { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, probe, outbox } = wish
    const record = {
      id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, probe, outbox, fence: 1, attempts: 0,
      createdAt: START_MS, retainUntil: START_MS + RETENTION_MS, accepted: { at: START_MS, owner: OWNER }, state: 'accepted',
    }
    for (const by of [{ id }, { keyDigest }, { operationRef }, { state: 'accepted' as const }]) t.strictSame(await store.find(by, 10), [record], Object.keys(by).join())
    t.strictSame(readableEvents(await committedEvents()), readableEvents([work(wish).event]))
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
    t.equal(await store.flag(id), 'settled', 'nobody is told when it begins')
    t.strictSame(await store.find({ state: 'in_flight' }, 10), [])
    t.strictSame(await store.find({ state: 'uncertain' }, 10), [])
  })

  suite.test('the relay finds what was accepted, each operation in a lane of its own, byte for byte', async (t) => {
    const { store, outbox, close } = await harness.open()
    t.teardown(close)
    const payload = Buffer.alloc(600_000, Buffer.from([0, 255, 10, 34, 92, 39, 128]))
    const wishes = ['a', 'b', 'c'].map((name) => request(name, '1'))
    for (const wish of wishes) await store.accept(wish, work(wish, OWNER, { event: { ...work(wish).event, payload } }))
    await led(outbox, 'relay-1', OPERATIONS_SINK)
    const { events } = await outbox.take({ ...EVERYTHING, sink: OPERATIONS_SINK, bytes: 10_000_000 })
    t.strictSame(events.map(({ id, lane }) => [id, lane]), wishes.map(({ operationRef }) => [operationRef, `${OWNER}.${operationRef}`]))
    for (const taken of events) t.ok(payload.equals(taken.payload))
  })

  suite.test('a duplicate is told of the operation, in whatever state it is, and takes nothing from it', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    await store.accept(first, work(first))
    const told = async (name: string): Promise<void> => {
      const before = await store.find({ id: first.id }, 1)
      const taking = { kind: 'take' as const, withinMs: 10 * RETENTION_MS }
      for (const onOrphan of [{ kind: 'hold' as const }, taking]) {
        t.strictSame(await store.claim(request('a', '9', { onOrphan })), { kind: 'accepted', operationRef: first.operationRef }, `claim: ${name}`)
        const again = request('a', '8', { onOrphan })
        t.strictSame(await store.accept(again, work(again)), { kind: 'accepted', operationRef: first.operationRef, fresh: false }, `accept: ${name}`)
      }
      t.strictSame(await store.find({ id: first.id }, 1), before, `unchanged: ${name}`)
    }
    await told('waiting')
    clock.advance(100 * RETENTION_MS)
    await told('waiting for very long')
    const claim = await begun(store, first, '2')
    await told('in flight')
    t.strictSame(await store.claim(request('a', '2')), { kind: 'accepted', operationRef: first.operationRef }, 'by its own holder, too: a claim is no begin')
    clock.advance(LEASE_MS)
    await told('in flight, and its lease ended')
    await store.abandon(claim, 'connection-lost', 1)
    await told('in doubt')
    await store.complete(claim, completion('done'))
    const replays = [await store.claim(request('a', '3')), await store.accept(request('a', '4'), work(request('a', '4')))]
    for (const replay of replays) t.strictSame(replay.kind === 'replay' && [replay.operationRef, readable(replay.reply)], [first.operationRef, readable(keptReply('done'))])
  })

  suite.test('another request under the key of an accepted one is a mismatch, however it is sent', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    await store.accept(first, work(first))
    const other = request('a', '2', { fingerprint: 'print-2'.padEnd(43, '_') })
    const mismatch = { kind: 'mismatch', spec: first.spec, parts: first.parts, operationRef: first.operationRef }
    t.strictSame([await store.claim(other), await store.accept(other, work(other))], [mismatch, mismatch])
    await begun(store, first, '3')
    t.strictSame([await store.claim(other), await store.accept(other, work(other))], [mismatch, mismatch])
  })

  suite.test('an acceptance that is repeated is answered as the first time, and brings no second event', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    const first = await store.accept(wish, work(wish, OWNER, { quota: 1 }))
    t.strictSame(await store.accept(wish, work(wish, OWNER, { quota: 1 })), first, 'it is not over its own quota')
    const claim = await begun(store, wish, '2')
    t.strictSame(await store.accept(wish, work(wish)), first, 'also when it has begun meanwhile')
    await store.complete(claim, completion('done'))
    t.strictSame(await store.accept(wish, work(wish)), first, 'or is completed')
    t.strictSame(readableEvents(await committedEvents()), readableEvents([work(wish).event]))
  })

  suite.test('a key that a client claimed is not accepted: busy, in doubt, or replayed', async (t) => {
    const { store, clock, committedEvents, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    const claim = await claimed(store, first)
    const later = request('a', '2', { onOrphan: { kind: 'take', withinMs: RETENTION_MS } })
    const accept = (): ReturnType<KeyStore['accept']> => store.accept(later, work(later))
    t.strictSame(await accept(), { kind: 'busy', retryAfterMs: LEASE_MS, operationRef: first.operationRef })
    t.strictSame(await store.accept(first, work(first)), { kind: 'busy', retryAfterMs: LEASE_MS, operationRef: first.operationRef }, 'whoever asks')
    clock.advance(LEASE_MS)
    const doubt = { kind: 'uncertain', since: START_MS + LEASE_MS, cause: 'lease-expired', operationRef: first.operationRef, fence: 1, probe: null, outbox: null, ageMs: 0 }
    t.strictSame(await accept(), doubt)
    t.match(await store.find({ id: first.id }, 1), [{ state: 'uncertain', accepted: null }], 'the lease that ended is a doubt now')
    await store.complete(claim, completion('done'))
    const replay = await accept()
    t.strictSame(replay.kind === 'replay' && readable(replay.reply), readable(keptReply('done')))
    t.strictSame(await committedEvents(), [])
  })

  suite.test('a key past its retention is accepted anew, and claimed anew where it was accepted', async (t) => {
    const { store, clock, committedEvents, close } = await harness.open()
    t.teardown(close)
    const old = request('a', '1', { probe: 'old', outbox: 'old' })
    await store.complete(await claimed(store, old), completion('old'))
    clock.advance(RETENTION_MS)
    const next = request('a', '2', { fingerprint: 'print-2'.padEnd(43, '_'), outbox: 'new', retentionMs: 10 })
    t.strictSame(await store.accept(next, work(next, OWNER, { quota: 0 })), { kind: 'over-quota' })
    t.match(await store.find({ id: old.id }, 1), [{ state: 'completed', operationRef: old.operationRef }])
    t.strictSame(await store.accept(next, work(next)), { kind: 'accepted', operationRef: next.operationRef, fresh: true })
    t.strictSame(readableEvents(await committedEvents()), readableEvents([work(next).event]))
    const at = START_MS + RETENTION_MS
    t.match(await store.find({ id: old.id }, 1), [{ state: 'accepted', fence: 1, attempts: 0, probe: null, outbox: 'new', createdAt: at, accepted: { at } }])
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 0 })
    await store.complete(await begun(store, next, '3'), completion('done'))
    clock.advance(10)
    const last = request('a', '4')
    t.match(await store.claim(last), { kind: 'claimed', claim: { fence: 1 }, recovering: false, operationRef: last.operationRef })
    t.match(await store.find({ id: old.id }, 1), [{ state: 'in_flight', accepted: null }])
  })

  suite.test('an identity has so many waiting at most: neither dead letters nor what others have count', async (t) => {
    const { store, outbox, committedEvents, close } = await harness.open()
    t.teardown(close)
    const lead = await led(outbox, 'relay-1', OPERATIONS_SINK)
    const wishes = Array.from({ length: 9 }, (_, n) => request(`key-${n}`, '1'))
    const [a, b, c, d, e, f, g, h, i] = wishes
    if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined || f === undefined || g === undefined || h === undefined || i === undefined) throw new Error('nine wishes')
    const accept = async (wish: ClaimRequest, owner = OWNER): Promise<string> => (await store.accept(wish, work(wish, owner, { quota: 2 }))).kind
    t.strictSame([await accept(a), await accept(b), await accept(c)], ['accepted', 'accepted', 'over-quota'])
    t.strictSame(await store.find({ id: c.id }, 1), [], 'nothing of it was stored')
    t.match(await store.claim(request('key-2', '5')), { kind: 'claimed' })
    const neighbours = [`${OWNER.slice(0, -1)}-`, `${OWNER.slice(0, -1)}a`]
    for (const owner of neighbours) t.equal(await accept(owner === neighbours[0] ? d : e, owner), 'accepted', 'somebody else')
    const claim = await begun(store, a, '2')
    t.equal(await accept(f), 'over-quota', 'what is being executed waits for its end')
    await store.complete(claim, completion('done'))
    const { events } = await outbox.take({ ...EVERYTHING, sink: OPERATIONS_SINK })
    const rowOf = ({ operationRef }: ClaimRequest): { readonly row: number } => {
      const found = events.find(({ id }) => id === operationRef)
      if (found === undefined) throw new Error(`${operationRef} does not wait`)
      return found
    }
    await outbox.settle(lead, [delivered(rowOf(a))])
    t.equal(await accept(g), 'accepted', 'one is done')
    t.equal(await accept(h), 'over-quota')
    await outbox.settle(lead, [{ kind: 'dead', row: rowOf(b).row, cause: 'given up', blocks: true }])
    t.equal(await accept(i), 'accepted', 'one was given up')
    t.equal(await accept(h), 'over-quota')
    await outbox.redrive({ id: b.operationRef, sink: null, lane: null, type: null }, 1, ACT)
    await store.forget(i.id, ACT)
    t.equal(await accept(h), 'over-quota', 'what is put back waits again')
    t.strictSame((await committedEvents()).map(({ id }) => id).toSorted(), [b, d, e, g].map(({ operationRef }) => operationRef).toSorted())
  })

  suite.test('of many that race for one key one is accepted, and all are told its name', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wishes = Array.from({ length: 64 }, (_, n) => request('a', String(n)))
    const outcomes = await Promise.all(wishes.map((wish) => store.accept(wish, work(wish))))
    t.equal(outcomes.filter((outcome) => outcome.kind === 'accepted' && outcome.fresh).length, 1)
    t.equal(new Set(outcomes.map((outcome) => (outcome.kind === 'accepted' ? outcome.operationRef : outcome.kind))).size, 1)
    t.equal((await committedEvents()).length, 1)
  })

  suite.test('of clients and acceptances that race for one key one wins, and the event is there if it was accepted', async (t) => {
    for (let round = 0; round < 4; round += 1) {
      const { store, committedEvents, close } = await harness.open()
      const wishes = Array.from({ length: 16 }, (_, n) => request('a', String(n)))
      const kinds = await Promise.all(wishes.map(async (wish, n) => {
        const outcome = (n + round) % 2 === 0 ? await store.claim(wish) : await store.accept(wish, work(wish))
        return outcome.kind === 'accepted' && 'fresh' in outcome && outcome.fresh ? 'fresh' : outcome.kind
      }))
      const winners = kinds.filter((kind) => kind === 'claimed' || kind === 'fresh')
      t.equal(winners.length, 1, kinds.join())
      t.equal((await committedEvents()).length, winners[0] === 'fresh' ? 1 : 0)
      await close()
    }
  })

  suite.test('many are accepted at once, each with its own event, beside claims and completions', async (t) => {
    const { store, committedEvents, close } = await harness.open()
    t.teardown(close)
    const wishes = Array.from({ length: 100 }, (_, n) => request(`key-${n}`, '1', { outbox: n % 3 === 0 ? `draft "${n}"\\` : null }))
    const [outcomes] = await Promise.all([
      Promise.all(wishes.map((wish) => store.accept(wish, work(wish)))),
      Promise.all(wishes.map(async (_, n) => store.complete(await claimed(store, request(`other-${n}`, '1')), completion('done', [event(`event-${n}`)])))),
    ])
    t.strictSame(outcomes, wishes.map(({ operationRef }) => ({ kind: 'accepted', operationRef, fresh: true })))
    for (const { id, outbox } of wishes) t.match(await store.find({ id }, 1), [{ state: 'accepted', outbox }])
    const committed = await committedEvents()
    t.equal(committed.length, 200)
    for (const wish of wishes) t.strictSame(readableEvents(committed.filter(({ id }) => id === wish.operationRef)), readableEvents([work(wish).event]))
    t.equal((await store.find({ state: 'accepted' }, 30)).length, 30, 'not more than asked for')
    t.strictSame((await store.find({ state: 'accepted' }, 200)).map(({ id }) => id).toSorted(), wishes.map(({ id }) => id).toSorted())
    t.strictSame(await store.census(), { inFlight: 0, uncertain: 0, completed: 100 })
  })

  suite.test('upkeep leaves what waits alone, however long', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1', { probe: 'a probe' })
    await store.accept(wish, work(wish))
    clock.advance(1000 * RETENTION_MS)
    t.strictSame([await store.reap(10), await store.sweep(10)], [{ orphaned: 0 }, { deleted: 0 }])
    t.strictSame(await store.doubts(10, { shortestMs: 1, longestMs: 1 }), [])
    t.equal(await store.evict(wish.id, ACT), 'refused')
    t.match(await store.find({ id: wish.id }, 1), [{ state: 'accepted', fence: 1 }])
  })

  suite.test('nobody writes to what waits, and its own holder may say again that it let go', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    await store.accept(wish, work(wish))
    const claim = { id: wish.id, holder: wish.holder, fence: 1 }
    await nothingIsWritten(t, store, claim)
    t.equal(await store.release(claim), 'written')
    t.equal(await store.release({ ...claim, fence: 2 }), 'fenced')
    t.equal(await store.resolve(wish.id, 1, { as: 'not-executed', operationRef: null }, ACT), 'fenced', 'there is no doubt')
    t.match(await store.find({ id: wish.id }, 1), [{ state: 'accepted', holder: wish.holder, fence: 1, attempts: 0 }])
  })
}

export async function nothingIsWritten(t: Test, store: OpenStore['store'], claim: { readonly id: string, readonly holder: string, readonly fence: number }): Promise<void> {
  t.equal(await store.complete(claim, completion('late', [event('late')])), 'fenced')
  t.equal(await store.abandon(claim, 'deadline', 1), 'fenced')
  t.strictSame(await store.renew([{ claim, leaseMs: LEASE_MS }]), ['fenced'])
}
