import { test } from 'tap'
import { ReplyMemory } from '../../src/store/reply-memory.ts'
import { FakeClock } from '../support/fake-clock.ts'

const remembered = (bytes: number, retainUntil = Number.MAX_SAFE_INTEGER) => ({
  fingerprint: 'f', spec: 's', parts: 'm.t.h.b', operationRef: 'op', retainUntil, fence: 1,
  reply: { kind: 'kept' as const, reply: { status: 200, headers: [], body: new Uint8Array(bytes), trailers: [] } },
})

test('the oldest reply makes room for a new one, and the bytes are counted', async (t) => {
  const memory = new ReplyMemory(10_000, new FakeClock())
  for (const id of ['a', 'b', 'c']) memory.remember(id, remembered(4000))
  t.equal(memory.recall('a'), undefined)
  t.ok(memory.recall('b'))
  t.ok(memory.recall('c'))
  t.ok(memory.bytes <= 10_000)
  memory.remember('c', remembered(10))
  t.ok(memory.bytes < 6000, 'the same key again replaces, it does not add')
  memory.forget('b')
  memory.forget('c')
  t.equal(memory.bytes, 0)
})

test('a reply larger than the memory is not remembered and drives nothing out', async (t) => {
  const memory = new ReplyMemory(10_000, new FakeClock())
  memory.remember('a', remembered(10))
  memory.remember('b', remembered(20_000))
  t.equal(memory.recall('b'), undefined)
  t.ok(memory.recall('a'))
})

test('an entry lives for a minute at most, and never past its retention', async (t) => {
  const clock = new FakeClock()
  const memory = new ReplyMemory(10_000, clock)
  memory.remember('long', remembered(10))
  memory.remember('short', remembered(10, clock.wallMs() + 1000))
  await clock.advance(1000)
  t.equal(memory.recall('short'), undefined)
  t.ok(memory.recall('long'))
  await clock.advance(59_000)
  t.equal(memory.recall('long'), undefined)
  t.equal(memory.bytes, 0)
})
