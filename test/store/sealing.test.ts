import { test } from 'tap'
import { OPERATIONS_SINK } from '../../src/core/operations.ts'
import { readDraft } from '../../src/core/read-draft.ts'
import { StoreUnavailable } from '../../src/core/ports.ts'
import type { StoredReply } from '../../src/core/reply.ts'
import { systemRandom } from '../../src/host/random.ts'
import { Keyring } from '../../src/store/keyring.ts'
import { sealedOutbox } from '../../src/store/sealed-outbox.ts'
import { sealedReplies, sealedStore } from '../../src/store/sealing.ts'
import { EVERYTHING, led } from '../contract/outbox/situation.ts'
import { ACT, beginning, claimed, completion, HeldClock, keptReply, LEASE_MS, readable, request, work } from '../contract/situation.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'
import { MemoryReplies } from '../support/memory-replies.ts'
import { NotedMeter } from '../support/quiet.ts'

const OLD = { id: 'old', secret: new Uint8Array(32).fill(1) }
const NEW = { id: 'new', secret: new Uint8Array(32).fill(2) }
const ring = (...keys: readonly (typeof OLD)[]): Keyring => new Keyring(keys, systemRandom())
const reply = keptReply('account 4711')

function bytesOf(stored: StoredReply): Buffer {
  return stored.kind === 'kept' ? Buffer.from(stored.reply.body) : Buffer.alloc(0)
}

test('what is sealed shows its status only, and opens as it was', (t) => {
  const sealed = ring(NEW).seal(reply, 'id', 3)
  if (sealed.kind !== 'kept') throw new Error('it was kept')
  t.equal(sealed.reply.status, 201)
  t.strictSame([sealed.reply.headers, sealed.reply.trailers], [['onceward-sealed', '1'], []])
  t.notOk(bytesOf(sealed).includes('4711') || bytesOf(sealed).includes('X-Twice'))
  const opened = ring(NEW).open(sealed, 'id', 3)
  t.strictSame(opened.kind === 'opened' && readable(opened.reply), readable(reply))
  t.not(bytesOf(ring(NEW).seal(reply, 'id', 3)).toString('hex'), bytesOf(sealed).toString('hex'), 'no two seals are alike')
  t.end()
})

test('the first key seals and every key opens, so that keys can be replaced', (t) => {
  const before = ring(OLD).seal(reply, 'id', 1)
  t.equal(ring(NEW, OLD).open(before, 'id', 1).kind, 'opened')
  const after = ring(NEW, OLD).seal(reply, 'id', 1)
  t.equal(ring(NEW).open(after, 'id', 1).kind, 'opened')
  t.equal(ring(OLD).open(after, 'id', 1).kind, 'shut', 'it was sealed by the new one')
  t.equal(ring().open(after, 'id', 1).kind, 'shut', 'without keys it is shut, and never a reply')
  t.equal(ring({ ...OLD, id: 'new' }).open(after, 'id', 1).kind, 'shut', 'a key of that name and another secret')
  t.strictSame(ring(NEW).open(reply, 'id', 1), { kind: 'opened', reply }, 'what was stored before there were keys')
  t.strictSame(ring().seal(reply, 'id', 1), reply)
  t.end()
})

test('a changed bit, another id, fence or status, and a shorter envelope do not open', (t) => {
  const sealed = ring(NEW).seal(reply, 'id', 1)
  if (sealed.kind !== 'kept') throw new Error('it was kept')
  const shut = (changed: StoredReply, id = 'id', fence = 1): boolean => ring(NEW).open(changed, id, fence).kind === 'shut'
  const length = sealed.reply.body.length
  for (let at = 0; at < length; at += 1) {
    const body = new Uint8Array(sealed.reply.body)
    body[at] = (body[at] ?? 0) ^ 1
    if (!shut({ kind: 'kept', reply: { ...sealed.reply, body } })) t.fail(`byte ${at} of ${length} was changed`)
    if (!shut({ kind: 'kept', reply: { ...sealed.reply, body: sealed.reply.body.subarray(0, at) } })) t.fail(`it was cut to ${at} bytes`)
  }
  t.ok(shut(sealed, 'other id') && shut(sealed, 'id', 2))
  t.ok(shut({ kind: 'kept', reply: { ...sealed.reply, status: 200 } }))
  t.notOk(shut(sealed))
  t.end()
})

test('a store whose reply does not open is unavailable for this key, and nothing runs', async (t) => {
  const authority = new MemoryKeyStore(new HeldClock())
  const before = sealedStore(authority, ring(OLD))
  await before.complete(await claimed(before, request('a', '1')), completion('secret of a'))
  t.notOk(JSON.stringify(await authority.find({ id: request('a', '1').id }, 1)).includes('secret'))
  const after = sealedStore(authority, ring(NEW))
  for (const asked of [after.claim(request('a', '2')), after.find({ id: request('a', '1').id }, 1)]) {
    const error: unknown = await asked.catch((refused: unknown) => refused)
    t.ok(error instanceof StoreUnavailable && error.written === 'no' && !error.message.includes('secret of'))
  }
  t.match(await sealedStore(authority, ring(NEW, OLD)).claim(request('a', '2')), { kind: 'replay' })
  t.equal(await after.evict(request('a', '1').id, ACT), 'evicted', 'it can be dropped without being opened')
})

test('a reply that an operator enters is sealed under the fence that its record then has', async (t) => {
  const store = sealedStore(new MemoryKeyStore(new HeldClock()), ring(NEW))
  const claim = await claimed(store, request('a', '1'))
  await store.abandon(claim, 'deadline', 1)
  t.equal(await store.resolve(claim.id, claim.fence, { as: 'completed', reply: keptReply('found'), events: [] }, ACT), 'written')
  const outcome = await store.claim(request('a', '2'))
  t.strictSame(outcome.kind === 'replay' && readable(outcome.reply), readable(keptReply('found')))
})

test('what is accepted is sealed, request and all, and whoever begins it reads what was stored', async (t) => {
  const clock = new HeldClock()
  const outbox = new MemoryOutboxStore(clock)
  const authority = new MemoryKeyStore(clock, undefined, outbox)
  const [store, others] = [sealedStore(authority, ring(NEW)), sealedStore(authority, ring(OLD))]
  const wish = request('a', '1', { probe: 'probe 4711', outbox: 'draft 4711' })
  const payload = Buffer.from('Authorization: secret 4711')
  await store.accept(wish, work(wish, undefined, { event: { ...work(wish).event, payload } }))
  const stored = JSON.stringify([await authority.find({ id: wish.id }, 1), authority.events.map((event) => Buffer.from(event.payload).toString('latin1'))])
  t.notOk(stored.includes('4711'))
  await led(outbox, 'relay-1', OPERATIONS_SINK)
  const { events } = await sealedOutbox(outbox, ring(NEW)).take({ ...EVERYTHING, sink: OPERATIONS_SINK })
  t.strictSame(events.map((event) => Buffer.from(event.payload).toString()), [payload.toString()])
  t.match(await store.find({ id: wish.id }, 1), [{ state: 'accepted', probe: 'probe 4711', outbox: 'draft 4711' }])
  t.match(await store.begin(beginning(wish, '2')), { kind: 'claimed', outbox: 'draft 4711' })
  t.match(await others.begin(beginning(wish, '2')), { kind: 'claimed', outbox: /^sealed:/ }, 'without its key it is no draft, and never passes for none')
  clock.advance(LEASE_MS)
  t.match(await store.begin(beginning(wish, '3')), { kind: 'uncertain', probe: 'probe 4711', outbox: 'draft 4711' })
  t.match(await others.begin(beginning(wish, '3')), { kind: 'uncertain', probe: null, outbox: /^sealed:/ })
  await store.complete({ id: wish.id, holder: beginning(wish, '2').holder, fence: 2 }, completion('reply 4711'))
  t.notOk(JSON.stringify(await authority.find({ id: wish.id }, 1)).includes('4711'))
  const replay = await store.accept(request('a', '4'), work(request('a', '4')))
  t.strictSame(replay.kind === 'replay' && readable(replay.reply), readable(keptReply('reply 4711')))
  const refused: unknown = await others.accept(request('a', '5'), work(request('a', '5'))).catch((error: unknown) => error)
  t.ok(refused instanceof StoreUnavailable && refused.written === 'no')
})

test('in Redis what does not open is a miss', async (t) => {
  const remote = new MemoryReplies()
  const meter = new NotedMeter()
  const what = { fingerprint: 'f', spec: 's', parts: 'p', operationRef: 'o', retainUntil: 1, fence: 1, reply }
  sealedReplies(remote, ring(OLD), meter).put('id', what)
  t.equal(await sealedReplies(remote, ring(NEW), meter).get('id'), undefined)
  t.strictSame(meter.misses, ['sealed'])
  t.match(await sealedReplies(remote, ring(NEW, OLD), meter).get('id'), { operationRef: 'o' })
})

test('a probe is sealed beside its key, and one that does not open is none: the key is held', async (t) => {
  const clock = new HeldClock()
  const authority = new MemoryKeyStore(clock)
  const store = sealedStore(authority, ring(NEW))
  const probe = '{"v":1,"target":"/v1/charges?account=4711"}'
  const claim = await claimed(store, request('a', '1', { probe }))
  await store.abandon(claim, 'connection-lost', 1)
  const [stored] = await authority.find({ id: claim.id }, 1)
  t.match(stored?.probe, /^sealed:[\w-]+$/)
  t.notOk(Buffer.from(stored?.probe?.slice(7) ?? '', 'base64url').includes('4711'))
  t.match(await store.claim(request('a', '2')), { kind: 'uncertain', probe })
  t.match(await store.find({ id: claim.id }, 1), [{ probe }])
  const others = sealedStore(authority, ring(OLD))
  t.match(await others.claim(request('a', '3')), { kind: 'uncertain', probe: null })
  t.strictSame(await others.doubts(10, { shortestMs: 1000, longestMs: 1000 }), [])
  clock.advance(1000)
  t.match(await store.doubts(10, { shortestMs: 1000, longestMs: 1000 }), [{ probe }])
  const before = await claimed(authority, request('b', '1', { probe }))
  t.match(await store.find({ id: before.id }, 1), [{ probe }], 'one that was stored before there were keys')
})

test('a draft is sealed beside its key; one that does not open is no draft, and never passes for none', async (t) => {
  const clock = new HeldClock()
  const authority = new MemoryKeyStore(clock)
  const store = sealedStore(authority, ring(NEW))
  const probe = '{"v":1}'
  const outbox = '{"v":1,"traceparent":null,"events":[],"of":"4711"}'
  const claim = await claimed(store, request('a', '1', { probe, outbox }))
  const plain = await claimed(store, request('b', '1'))
  for (const held of [claim, plain]) await store.abandon(held, 'connection-lost', 1)
  const [stored] = await authority.find({ id: claim.id }, 1)
  t.match(stored?.outbox, /^sealed:[\w-]+$/)
  t.notOk(Buffer.from(stored?.outbox?.slice(7) ?? '', 'base64url').includes('4711'))
  t.match(await store.claim(request('a', '2')), { kind: 'uncertain', outbox })
  t.match(await store.find({ id: claim.id }, 1), [{ outbox }])
  t.match(await store.claim(request('b', '2')), { kind: 'uncertain', outbox: null })
  const others = sealedStore(authority, ring(OLD))
  const [shut] = await others.find({ id: claim.id }, 1)
  t.equal(readDraft(shut?.outbox ?? ''), undefined)
  t.type(shut?.outbox, 'string', 'who completes it sees that there was something')
  t.match(await store.doubts(10, { shortestMs: 1000, longestMs: 1000 }), [{ outbox }])
})
