import { assert, constantFrom, property, string } from 'fast-check'
import { test } from 'tap'
import { editDistance, nearest } from '../../src/config/nearest.ts'

test('a misspelt name finds the one that was meant', (t) => {
  const known = ['retention', 'retention_bounds', 'lease', 'scope', 'key']
  t.strictSame(nearest('retension', known), ['retention'])
  t.strictSame(nearest('lesae', known), ['lease'])
  t.strictSame(nearest('Retention-Bounds', known), ['retention_bounds'])
  t.strictSame(nearest('kye', known), ['key'])
  t.end()
})

test('a name that is far from all others finds none', (t) => {
  t.strictSame(nearest('postgres', ['data_dir', 'embedded']), [])
  t.strictSame(nearest('', ['key']), [])
  t.end()
})

test('at most three are named, the nearest first', (t) => {
  t.strictSame(nearest('abcdef', ['abcdxx', 'abcdex', 'abcdef', 'abcxef', 'abxxef']), ['abcdef', 'abcdex', 'abcxef'])
  t.end()
})

test('the distance is symmetric, zero for equal words alone and one for one change or swap', (t) => {
  const word = string({ maxLength: 8, unit: constantFrom('a', 'b', 'c') })
  assert(property(word, word, (a, b) => editDistance(a, b) === editDistance(b, a) && (editDistance(a, b) === 0) === (a === b)))
  assert(property(word, word, (a, b) => editDistance(`${a}x${b}`, a + b) === 1))
  assert(property(word, word, (a, b) => editDistance(`${a}xy${b}`, `${a}yx${b}`) === 1))
  t.end()
})
