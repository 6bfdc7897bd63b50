import type { Test } from 'tap'
import { witnessOf, withWitness } from '../../src/core/witness.ts'
import { claimed, completion, LEASE_MS, request, RETENTION_MS, type KeyStoreHarness } from './situation.ts'

const HOUR_MS = 3_600_000
const [FIRST, SECOND] = ['first-witness'.padEnd(22, '_'), 'second-witness'.padEnd(22, '_')]

/** A claim by who showed this credential; the fingerprint is the same. */
function shown(witness: string | null, holder: string, takes = false) {
  return request('a', holder, { parts: withWitness(request('a', holder).parts, witness), ...(takes ? { onOrphan: { kind: 'take' as const, withinMs: HOUR_MS } } : {}) })
}

export function witnessContract(suite: Test, harness: KeyStoreHarness): void {
  suite.test('a replay and a record say who was the witness of the first claim, whoever asks', async (t) => {
    const { store, close } = await harness.open()
    t.teardown(close)
    const first = shown(FIRST, '1')
    await store.complete(await claimed(store, first), completion('done'))
    for (const witness of [FIRST, SECOND, null]) {
      const outcome = await store.claim(shown(witness, '2'))
      if (outcome.kind !== 'replay') throw new Error(`expected a replay, but was told ${outcome.kind}`)
      t.equal(outcome.parts, first.parts)
      t.equal(witnessOf(outcome.parts), FIRST)
    }
    const [record] = await store.find({ id: first.id }, 1)
    t.equal(witnessOf(record?.parts ?? ''), FIRST)
  })

  suite.test('an orphan is taken by its own witness only; another one is told of the doubt', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    await claimed(store, shown(FIRST, '1'))
    t.match(await store.claim(shown(SECOND, '2', true)), { kind: 'busy' })
    clock.advance(LEASE_MS)
    for (const witness of [SECOND, null]) t.match(await store.claim(shown(witness, '3', true)), { kind: 'uncertain' })
    t.match(await store.claim(shown(FIRST, '4', true)), { kind: 'claimed', recovering: true, claim: { fence: 2 } })
    const [record] = await store.find({ id: request('a', '1').id }, 1)
    t.equal(witnessOf(record?.parts ?? ''), FIRST)
  })

  suite.test('a key past its retention, or released, has the witness of who claims it next', async (t) => {
    const { store, clock, close } = await harness.open()
    t.teardown(close)
    await store.complete(await claimed(store, shown(FIRST, '1')), completion('old'))
    clock.advance(RETENTION_MS)
    await store.release(await claimed(store, shown(SECOND, '2')))
    await store.complete(await claimed(store, shown(SECOND, '3')), completion('new'))
    const outcome = await store.claim(shown(FIRST, '4'))
    t.equal(outcome.kind === 'replay' && witnessOf(outcome.parts), SECOND)
  })
}
