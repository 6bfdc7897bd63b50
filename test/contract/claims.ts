import type { Test } from 'tap'
import { StoreUnavailable } from '../../src/core/ports.ts'
import { claimed, completion, keptReply, LEASE_MS, readable, request, RETENTION_MS, START_MS, type KeyStoreHarness } from './situation.ts'

export function claimsContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('the first claim of a key is granted', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    t.match(await store.claim(wish), {
      kind: 'claimed', claim: { id: wish.id, holder: wish.holder, fence: 1 }, recovering: false, operationRef: wish.operationRef, retainUntil: START_MS + RETENTION_MS,
    })
  })

  suite.test('a granted claim is found as it was asked for', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    await claimed(store, wish)
    const { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route } = wish
    t.strictSame(await store.find({ id }, 10), [{
      id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, fence: 1, attempts: 0, probe: null, outbox: null, accepted: null,
      createdAt: START_MS, retainUntil: START_MS + RETENTION_MS, state: 'in_flight', leaseUntil: START_MS + LEASE_MS,
    }])
  })

  suite.test('a second claim while the first is in flight is told to wait for the rest of the lease', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    await claimed(store, first)
    clock.advance(20_000)
    t.strictSame(await store.claim(request('a', '2')), { kind: 'busy', retryAfterMs: LEASE_MS - 20_000, operationRef: first.operationRef })
  })

  suite.test('a claim repeated by its holder is answered as the first time', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    const first = await store.claim(wish)
    clock.advance(LEASE_MS + 1)
    t.strictSame(await store.claim(wish), first)
  })

  suite.test('another request under the same key is a mismatch, in flight, completed or in doubt', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    const other = request('a', '2', { fingerprint: 'print-2'.padEnd(43, '_') })
    const mismatch = { kind: 'mismatch', spec: first.spec, parts: first.parts, operationRef: first.operationRef }
    const claim = await claimed(store, first)
    t.strictSame(await store.claim(other), mismatch, 'before busy: it would wait for an answer that can never be its own')
    clock.advance(LEASE_MS)
    t.strictSame(await store.claim(other), mismatch, 'before a doubt')
    await store.complete(claim, completion('done'))
    t.strictSame(await store.claim(other), mismatch, 'before a replay')
    t.strictSame(await store.claim(request('a', '3', { spec: '{"v":1,"mode":"json"}' })), mismatch, 'and so is another specification')
  })

  suite.test('a completed key is replayed byte for byte', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const first = request('a', '1')
    const reply = {
      kind: 'kept' as const,
      reply: {
        status: 207,
        headers: ['x-Odd-Case', 'caf\u00e9 \u00ff', 'Link', '<a>', 'Link', '<b>', 'X-Empty', '', 'X-Quote', 'a"b\\c'],
        body: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
        trailers: ['grpc-status', '0', 'grpc-message', ''],
      },
    }
    await store.complete(await claimed(store, first), { reply, attempts: 1, events: [] })
    const outcome = await store.claim(request('a', '2'))
    if (outcome.kind !== 'replay') throw new Error(`expected a replay, but was told ${outcome.kind}`)
    t.strictSame(readable(outcome.reply), readable(reply))
    const { fingerprint, spec, operationRef, retainUntil } = outcome
    t.strictSame({ fingerprint, spec, operationRef, retainUntil }, { fingerprint: first.fingerprint, spec: first.spec, operationRef: first.operationRef, retainUntil: START_MS + RETENTION_MS })
  })

  for (const [name, body] of [['empty', Buffer.alloc(0)], ['large', Buffer.alloc(1024 * 1024, 'Onceward')]] as const) {
    suite.test(`a reply with an ${name} body is kept`.replace('an large', 'a large'), async (t) => {
      const { store, close } = await harness.open()
      t.teardown(close)
      const reply = { kind: 'kept' as const, reply: { status: 200, headers: [], body, trailers: [] } }
      await store.complete(await claimed(store, request('a', '1')), { reply, attempts: 1, events: [] })
      const outcome = await store.claim(request('a', '2'))
      t.ok(outcome.kind === 'replay' && outcome.reply.kind === 'kept' && body.equals(outcome.reply.reply.body))
    })
  }

  suite.test('a reply whose body was not kept is replayed as that', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    await store.complete(await claimed(store, request('a', '1')), { reply: { kind: 'not-kept', status: 200 }, attempts: 1, events: [] })
    t.match(await store.claim(request('a', '2')), { kind: 'replay', reply: { kind: 'not-kept', status: 200 } })
  })

  suite.test('a key past its retention is new again, whether the sweep came by or not', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    const first = await claimed(store, request('a', '1'))
    await store.complete(first, completion('old'))
    clock.advance(RETENTION_MS - 1)
    t.match(await store.claim(request('a', '2')), { kind: 'replay' }, 'to its last millisecond')
    clock.advance(1)
    const again = request('a', '3', { fingerprint: 'print-2'.padEnd(43, '_'), keyDigest: 'another digest' })
    t.match(await store.claim(again), { kind: 'claimed', claim: { fence: 1 }, recovering: false, operationRef: again.operationRef })
    t.equal(await store.complete(first, completion('old')), 'fenced', 'and its old holder is not the new one')
    t.match(await store.find({ keyDigest: 'another digest' }, 10), [{ fingerprint: again.fingerprint, createdAt: START_MS + RETENTION_MS }])
    t.strictSame(await store.census(), { inFlight: 1, uncertain: 0, completed: 0 })
  })

  suite.test('of many holders that race for a key exactly one wins', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const outcomes = await Promise.all(Array.from({ length: 64 }, (_, n) => store.claim(request('a', String(n)))))
    t.equal(outcomes.filter(({ kind }) => kind === 'claimed').length, 1)
    t.equal(outcomes.filter(({ kind }) => kind === 'busy').length, 63)
  })

  suite.test('a claim that was given up before it left is dropped', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    const neighbour = store.claim(request('b', '1'))
    const dropped = await store.claim(wish, () => true).catch((error: unknown) => error)
    t.ok(dropped instanceof StoreUnavailable && dropped.written === 'no')
    t.match(await neighbour, { kind: 'claimed' }, 'its neighbour is not')
    t.strictSame(await store.find({ id: wish.id }, 1), [])
    t.match(await store.claim(wish, () => false), { kind: 'claimed' })
  })

  suite.test('two keys of one client key are found by its digest, each by its own operation', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const [one, other, third] = [request('a', '1', { keyDigest: 'shared' }), request('b', '1', { keyDigest: 'shared' }), request('c', '1')]
    for (const wish of [one, other, third]) await claimed(store, wish)
    const byDigest = await store.find({ keyDigest: 'shared' }, 10)
    t.strictSame(byDigest.map(({ id }) => id).toSorted(), [one.id, other.id].toSorted())
    t.equal((await store.find({ keyDigest: 'shared' }, 1)).length, 1, 'not more than asked for')
    t.strictSame((await store.find({ operationRef: other.operationRef }, 10)).map(({ id }) => id), [other.id])
    t.strictSame(await store.find({ operationRef: 'nobody knows' }, 10), [])
    t.strictSame(await store.find({ keyDigest: 'nobody knows' }, 10), [])
  })

  suite.test('a found record gives its stored reply', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const wish = request('a', '1')
    await store.complete(await claimed(store, wish), { ...completion('done'), attempts: 3 })
    const [record] = await store.find({ id: wish.id }, 1)
    if (record?.state !== 'completed') throw new Error('the record is not completed')
    t.strictSame(readable(record.reply), readable(keptReply('done')))
    t.match(record, { attempts: 3, completedAt: START_MS })
  })
}
