import { test } from 'tap'
import { differing } from '../../src/core/fingerprint.ts'
import { witness, witnessOf, withWitness } from '../../src/core/witness.ts'

const PARTS = 'm.t.h.b'

test('a witness is kept behind the parts and found there', async (t) => {
  t.equal(witnessOf(withWitness(PARTS, 'w-_1')), 'w-_1')
  t.equal(witnessOf(withWitness(PARTS, null)), null)
  t.equal(withWitness(PARTS, null), PARTS)
})

test('two witnesses are no difference between two requests', async (t) => {
  t.strictSame(differing(withWitness(PARTS, 'one'), withWitness(PARTS, 'two')), [])
  t.strictSame(differing(withWitness(PARTS, 'one'), PARTS), [])
  t.strictSame(differing(withWitness(PARTS, 'one'), withWitness('m.t.h.x', 'one')), ['body'])
})

test('a witness tells credentials apart and is nothing without the secret', async (t) => {
  t.equal(witness('secret', 'a'), witness('secret', 'a'))
  t.not(witness('secret', 'a'), witness('secret', 'b'))
  t.not(witness('secret', 'a'), witness('other secret', 'a'))
  t.match(witness('secret', 'a'), /^[\w-]{22}$/)
})
