import fc from 'fast-check'
import { test } from 'tap'
import { MOST_DEPTH, MOST_VALUES, readJson, type Json } from '../../src/core/json.ts'

const read = (text: string) => readJson(Buffer.from(text))

/** As JSON.parse would give it, apart from what that loses. */
function plain(json: Json): unknown {
  switch (json.kind) {
    case 'word': return JSON.parse(json.word)
    case 'number': return Number(json.source)
    case 'string': return json.value
    case 'array': return json.items.map(plain)
    case 'object': return Object.fromEntries(json.members.map(({ name, value }) => [name, plain(value)]))
  }
}

test('what JSON.parse reads, this reads the same, and nothing else', async (t) => {
  const similar = fc.string({ unit: fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '0', '1', '-', '.', 'e', '+', 'true', 'null', ' ', '\n', '\\', '\\u0041', '\ud800', '\u0001', 'é'), maxLength: 12 })
  fc.assert(fc.property(fc.oneof(similar, fc.json({ noUnicodeString: false })), (text) => {
    const bytes = Buffer.from(text)
    let expected: unknown
    try {
      expected = JSON.parse(bytes.toString())
    } catch {
      return readJson(bytes) === undefined
    }
    const json = readJson(bytes)
    return json === undefined ? twice(bytes.toString()) : JSON.stringify(plain(json)) === JSON.stringify(inOrder(expected))
  }), { numRuns: 5000 })
  t.pass('for 5000 random texts')
})

/** JSON.parse keeps the last of two members of one name; so fewer members come out than colons outside of strings go in. */
function twice(text: string): boolean {
  let members = 0
  JSON.parse(text, (_, value: unknown) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) members += Object.keys(value).length
    return value
  })
  return members < text.replace(/"(?:[^"\\]|\\.)*"/gs, '').split(':').length - 1
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, inOrder(inner)]))
}

test('numbers keep the way in which they were written', async (t) => {
  t.same(read('[1.0, 1e0, 12345678901234567890, -0]'), { kind: 'array', items: ['1.0', '1e0', '12345678901234567890', '-0'].map((source) => ({ kind: 'number', source })) })
})

test('a name that stands twice is refused, however it is written and wherever', async (t) => {
  for (const text of ['{"a":1,"a":1}', '{"a":1,"b":2,"\\u0061":3}', '[{"x":{"":1,"":2}}]', '{"__proto__":1,"__proto__":2}']) t.equal(read(text), undefined, text)
  t.not(read('{"a":{"a":1},"b":{"a":1}}'), undefined, 'the same name in two objects is none')
})

test('names that mean something to JavaScript are names', async (t) => {
  t.same(read('{"__proto__":{"x":1},"constructor":2,"toString":3}'), {
    kind: 'object',
    members: [
      { name: '__proto__', value: { kind: 'object', members: [{ name: 'x', value: { kind: 'number', source: '1' } }] } },
      { name: 'constructor', value: { kind: 'number', source: '2' } },
      { name: 'toString', value: { kind: 'number', source: '3' } },
    ],
  })
})

test('what is no JSON in UTF-8 is refused', async (t) => {
  for (const text of ['', ' ', '{', '[1,]', '{"a":1,}', '{a:1}', "'a'", '01', '1.', '.5', '+1', '-', '1e', 'NaN', 'Infinity', 'tru', 'nulls', '"\t"', '"\\x41"', '"\\u12"', '"a', '"\\"', '1 2', '[1 2]', '// a\n1', '\ufeff1', '1\u00a0']) t.equal(read(text), undefined, JSON.stringify(text))
  t.equal(readJson(Buffer.from([0x22, 0xff, 0x22])), undefined, 'a byte that is no UTF-8')
  t.equal(readJson(Buffer.from([0x22, 0xc0, 0x80, 0x22])), undefined, 'an overlong form')
  t.equal(readJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), undefined, 'half of a surrogate pair')
  t.equal(readJson(Buffer.from('1', 'utf16le')), undefined, 'UTF-16')
})

test('depth and the number of values are bounded to the one', async (t) => {
  const nested = (depth: number) => read(`${'['.repeat(depth)}${']'.repeat(depth)}`)
  t.not(nested(MOST_DEPTH), undefined)
  t.equal(nested(MOST_DEPTH + 1), undefined)
  const wide = (values: number) => read(`[${'1,'.repeat(values - 2)}1]`)
  t.not(wide(MOST_VALUES), undefined)
  t.equal(wide(MOST_VALUES + 1), undefined)
})
