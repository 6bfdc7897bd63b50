import { test } from 'tap'
import { StoreUnavailable, type KeyStore, type Remembered } from '../../src/core/ports.ts'
import type { Claim } from '../../src/core/record.ts'
import { ReplyMemory } from '../../src/store/reply-memory.ts'
import { tiered } from '../../src/store/tiered.ts'
import { ACT, begun, claimed, completion, HeldClock, keptReply, readable, request, RETENTION_MS, work } from '../contract/situation.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { MemoryReplies } from '../support/memory-replies.ts'
import { replaced } from '../support/shared-store.ts'
import { NotedMeter } from '../support/quiet.ts'

const { id } = request('a', '1')

/** Two processes with one authority and one Redis. */
function scene() {
  const clock = new HeldClock()
  const authority = new MemoryKeyStore(clock)
  const remote = new MemoryReplies()
  const process = () => {
    const meter = new NotedMeter()
    return { ...tiered({ authority, memory: new ReplyMemory(1_000_000, clock), remote, clock, meter }), meter }
  }
  return { clock, authority, remote, one: process(), two: process() }
}

async function completed(store: KeyStore, text = 'the reply'): Promise<Claim> {
  const claim = await claimed(store, request('a', '1'))
  await store.complete(claim, completion(text))
  return claim
}

test('a completion fills Redis, the second replay from there fills the memory, and the answer is that of the authority', async (t) => {
  const { authority, one, two } = scene()
  await completed(one.store)
  const outcome = await two.store.claim(request('a', '2'))
  t.strictSame(outcome, await authority.claim(request('a', '3')))
  t.equal(two.replies.recall(id), undefined)
  t.strictSame(await two.store.claim(request('a', '4')), outcome)
  t.strictSame(readable(two.replies.recall(id)?.reply ?? { kind: 'not-kept', status: 0 }), readable(keptReply('the reply')))
  t.strictSame(two.meter.hits, ['redis', 'redis', 'memory'])
})

test('a completion that the authority refused, or did not keep, fills nothing', async (t) => {
  const { remote, one } = scene()
  const claim = await claimed(one.store, request('a', '1'))
  t.equal(await one.store.complete({ ...claim, fence: 9 }, completion('late')), 'fenced')
  t.equal(remote.kept.size, 0)
})

test('an accepted operation is replayed like any: the first one who asks fills Redis, whoever executed it', async (t) => {
  const { remote, one, two } = scene()
  const wish = request('a', '1')
  t.match(await one.store.accept(wish, work(wish)), { kind: 'accepted', fresh: true })
  t.match(await two.store.claim(request('a', '2')), { kind: 'accepted' })
  await two.store.complete(await begun(two.store, wish, '3'), completion('the reply'))
  t.equal(remote.kept.size, 0, 'only who claimed it knows what else belongs to the reply')
  const again = request('a', '4')
  const outcome = await one.store.accept(again, work(again))
  t.strictSame([outcome.kind === 'replay' && readable(outcome.reply), remote.kept.size], [readable(keptReply('the reply')), 1])
  t.strictSame(await two.store.claim(request('a', '5')), outcome)
  t.strictSame([one.meter.hits, two.meter.hits], [['authority'], ['redis']])
})

test('Redis is asked only while it answers', async (t) => {
  const { remote, one, two } = scene()
  await completed(one.store)
  remote.answers = false
  const asked = remote.asked
  t.match(await two.store.claim(request('a', '2')), { kind: 'replay' })
  t.strictSame([remote.asked - asked, two.meter.hits], [0, ['authority']])
})

test('what Redis has of another request, or near the end of its retention, is judged by the authority', async (t) => {
  const { clock, one, two } = scene()
  await completed(one.store)
  t.match(await two.store.claim(request('a', '2', { fingerprint: 'another' })), { kind: 'mismatch' })
  t.match(await two.store.claim(request('a', '2', { spec: 'another' })), { kind: 'mismatch' })
  clock.advance(RETENTION_MS - 60_000)
  t.match(await two.store.claim(request('a', '2')), { kind: 'replay' })
  t.strictSame(two.meter.misses, ['differs', 'differs', 'ended'])
  clock.advance(60_000)
  t.match(await two.store.claim(request('a', '2')), { kind: 'claimed' })
})

test('an evict reaches Redis and the memories of all processes', async (t) => {
  const { one, two } = scene()
  await completed(one.store)
  for (const n of ['2', '3']) await two.store.claim(request('a', n))
  t.ok(two.replies.recall(id))
  t.equal(await one.store.evict(id, ACT), 'evicted')
  t.equal(two.replies.recall(id), undefined)
  for (const { store } of [one, two]) t.match(await store.claim(request('a', '3')), { kind: 'replay', reply: { kind: 'not-kept' } })
})

test('a forgotten key runs again, and its new reply is the one that is replayed', async (t) => {
  const { one, two } = scene()
  await completed(one.store, 'first')
  for (const n of ['2', '3']) await two.store.claim(request('a', n))
  t.equal(await one.store.forget(id, ACT), 'forgotten')
  t.equal(two.replies.recall(id), undefined)
  await completed(two.store, 'second')
  for (const { store } of [one, two]) {
    const outcome = await store.claim(request('a', '4'))
    t.strictSame(outcome.kind === 'replay' && readable(outcome.reply), readable(keptReply('second')))
  }
})

test('a Redis that cannot be told of an evict or a forget means that nothing is changed', async (t) => {
  const { authority, remote, one } = scene()
  await completed(one.store)
  remote.listens = false
  for (const refused of [one.store.evict(id, ACT), one.store.forget(id, ACT)]) {
    const error: unknown = await refused.catch((why: unknown) => why)
    t.ok(error instanceof StoreUnavailable && error.written === 'no')
  }
  t.match(await authority.find({ id }, 1), [{ state: 'completed', reply: { kind: 'kept' } }])
  t.strictSame(await authority.audit(10), [])
})

test('a reply that was read before an evict and arrives after it is remembered by nobody', async (t) => {
  const { authority, remote, clock } = scene()
  let hold: Promise<void> = Promise.resolve()
  const slow: KeyStore = new Proxy(authority, {
    get(target, name: keyof KeyStore) {
      if (name !== 'claim') return target[name].bind(target)
      return async (...args: Parameters<KeyStore['claim']>) => {
        const outcome = await target.claim(...args)
        await hold
        return outcome
      }
    },
  })
  const reader = tiered({ authority: slow, memory: new ReplyMemory(1_000_000, clock), remote, clock, meter: new NotedMeter() })
  const operator = tiered({ authority, memory: new ReplyMemory(1_000_000, clock), remote, clock, meter: new NotedMeter() })
  await completed(operator.store)
  remote.kept.clear()
  let goOn: () => void = () => undefined
  hold = new Promise((resolve) => { goOn = resolve })
  const reading = reader.store.claim(request('a', '2'))
  await new Promise((resolve) => { setImmediate(resolve) })
  await operator.store.evict(id, ACT)
  goOn()
  t.match(await reading, { kind: 'replay', reply: { kind: 'kept' } }, 'it was asked before')
  t.equal(reader.replies.recall(id), undefined)
  t.equal(remote.kept.get(id), 'tombstone')
})

test('a completion that is repeated after an evict does not bring the reply back', async (t) => {
  const { one, two, remote } = scene()
  const claim = await completed(one.store)
  await two.store.evict(id, ACT)
  t.equal(await one.store.complete(claim, completion('the reply')), 'written')
  t.equal(remote.kept.get(id), 'tombstone')
  const found: Remembered | undefined = await remote.get(id)
  t.equal(found, undefined)
})

test('without a Redis the operators\' work reaches the memory, also when its result is unknown', async (t) => {
  for (const verb of ['evict', 'forget'] as const) {
    for (const planted of [{}, { [verb]: () => Promise.reject(new StoreUnavailable('unknown', 'planted')) }]) {
      const clock = new HeldClock()
      const { store, replies } = tiered({ authority: replaced(new MemoryKeyStore(clock), planted), memory: new ReplyMemory(1_000_000, clock), remote: null, clock, meter: new NotedMeter() })
      await completed(store)
      await store.claim(request('a', '2'))
      t.match(replies.recall(id)?.reply, { kind: 'kept' })
      await store[verb](id, ACT).catch((error: unknown) => t.ok(error instanceof StoreUnavailable))
      t.equal(replies.recall(id), undefined, verb)
    }
  }
})

test('the trail and the flags are the authority\'s', async (t) => {
  const { one } = scene()
  await completed(one.store)
  await one.store.evict(id, ACT)
  t.match(await one.store.audit(1), [{ verb: 'evict', id }])
  t.equal(await one.store.flag(id), 'settled')
})

test('that a key was not there, or in flight, is remembered by nobody', async (t) => {
  const { one, two, remote } = scene()
  const claim = await claimed(one.store, request('a', '1'))
  t.match(await two.store.claim(request('a', '2')), { kind: 'busy' })
  await one.store.release(claim)
  const again = await claimed(two.store, request('a', '3'))
  t.match(await one.store.claim(request('a', '4')), { kind: 'busy' })
  t.strictSame([remote.kept.size, one.replies.recall(id), two.replies.recall(id)], [0, undefined, undefined])
  await two.store.complete(again, completion('done'))
  t.match(await one.store.claim(request('a', '5')), { kind: 'replay' })
})
