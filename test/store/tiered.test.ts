import { test } from 'tap'
import { StoreUnavailable, type KeyStore } from '../../src/core/ports.ts'
import { ReplyMemory } from '../../src/store/reply-memory.ts'
import { tiered } from '../../src/store/tiered.ts'
import { ACT, claimed, completion, HeldClock, request } from '../contract/situation.ts'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { replaced } from '../support/shared-store.ts'

/** A completed key that the memory has learned from a replay. */
async function remembered(break_: Partial<KeyStore> = {}) {
  const clock = new HeldClock()
  const memory = new ReplyMemory(1_000_000, clock)
  const store = tiered(replaced(new MemoryKeyStore(clock), break_), memory)
  const claim = await claimed(store, request('a', '1'))
  await store.complete(claim, completion('done'))
  await store.claim(request('a', '2'))
  return { store, memory, id: claim.id }
}

test('what an operator takes out of the authority is out of this process\'s memory', async (t) => {
  for (const verb of ['evict', 'forget'] as const) {
    const { store, memory, id } = await remembered()
    t.match(memory.recall(id)?.reply, { kind: 'kept' })
    await store[verb](id, ACT)
    t.equal(memory.recall(id), undefined, verb)
  }
})

test('a change of unknown result counts as made', async (t) => {
  for (const verb of ['evict', 'forget'] as const) {
    const { store, memory, id } = await remembered({ [verb]: () => Promise.reject(new StoreUnavailable('unknown', 'planted')) })
    await t.rejects(store[verb](id, ACT), StoreUnavailable)
    t.equal(memory.recall(id), undefined, verb)
  }
})

test('the trail and the flags are the authority\'s', async (t) => {
  const { store, id } = await remembered()
  await store.evict(id, ACT)
  t.match(await store.audit(1), [{ verb: 'evict', id }])
  t.equal(await store.flag(id), 'settled')
})
