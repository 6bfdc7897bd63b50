import fc from 'fast-check'
import { test } from 'tap'
import { readJson, type Json } from '../../src/core/json.ts'
import { below, parsePointer, pointerText, valueAt } from '../../src/core/json-pointer.ts'

const document = (text: string): Json => {
  const json = readJson(Buffer.from(text))
  if (json === undefined) throw new Error('no JSON')
  return json
}

test('the examples of RFC 6901 section 5', async (t) => {
  const example = document(String.raw`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`)
  const rows: readonly [string, string][] = [['/', '0'], ['/a~1b', '1'], ['/c%d', '2'], ['/e^f', '3'], ['/g|h', '4'], ['/i\\j', '5'], ['/k"l', '6'], ['/ ', '7'], ['/m~0n', '8']]
  for (const [pointer, source] of rows) t.same(valueAt(example, parsePointer(pointer) ?? []), { kind: 'number', source }, pointer)
  t.same(valueAt(example, parsePointer('/foo/0') ?? []), { kind: 'string', value: 'bar' })
  t.match(valueAt(example, parsePointer('/foo') ?? []), { kind: 'array' })
})

test('what leads nowhere leads nowhere', async (t) => {
  const example = document('{"list":[1,2],"__proto__x":1,"text":"abc"}')
  for (const pointer of ['/none', '/list/2', '/list/-', '/list/01', '/list/+1', '/list/1.0', '/list/length', '/text/0', '/text/length', '/__proto__', '/constructor', '/list/0/x']) {
    t.equal(valueAt(example, parsePointer(pointer) ?? []), undefined, pointer)
  }
})

test('what is no pointer is refused, the whole document included', async (t) => {
  for (const text of ['', 'id', '#/id', '/a~', '/a~2', '~1', ' /a']) t.equal(parsePointer(text), undefined, JSON.stringify(text))
})

test('a pointer is written as it is read', async (t) => {
  const token = fc.string({ unit: fc.constantFrom('~', '/', '0', '1', 'a', 'é'), maxLength: 5 })
  fc.assert(fc.property(fc.array(token, { minLength: 1, maxLength: 4 }), (pointer) => JSON.stringify(parsePointer(pointerText(pointer))) === JSON.stringify(pointer)), { numRuns: 1000 })
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('~', '/', '0', '1', 'a') }), (text) => {
    const pointer = parsePointer(text)
    return pointer === undefined || pointerText(pointer) === text
  }), { numRuns: 1000 })
  t.pass('both ways')
})

test('pointers are followed one step at a time', async (t) => {
  t.same(below([['a', 'b'], ['c']], 'a'), [['b']])
  t.same(below([['a', 'b'], ['a']], 'a'), 'itself')
  t.same(below([['a']], 'b'), [])
})
