import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { test } from 'tap'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import { readJson } from '../../src/core/json.ts'
import { parsePointer } from '../../src/core/json-pointer.ts'

function canonical(text: string | Uint8Array, ...exclude: readonly string[]): string | undefined {
  const json = readJson(Buffer.from(text))
  return json === undefined ? undefined : canonicalJson(json, exclude.map((pointer) => parsePointer(pointer) ?? []))
}

/** Well-formed text whose characters are characters, which is what RFC 7493 allows. */
const text = fc.string({ unit: 'binary', maxLength: 6 }).filter((value) => value.isWellFormed() && !/\p{Noncharacter_Code_Point}/u.test(value))
const name = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toJSON', '', '10', '9', '\u20ac', '\u{1f600}', '\ufb33', 'é'))
const iJson = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, fc.constant(null), fc.boolean(), text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger(), tie('array'), tie('object')),
  array: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.uniqueArray(fc.tuple(name, tie('value')), { selector: ([member]) => member, maxLength: 4 }).map((members) => Object.fromEntries(members)),
}))

test('it agrees with an independent implementation on random I-JSON, in every spelling', async (t) => {
  fc.assert(fc.property(iJson.value, fc.boolean(), (value, spaced) => canonical(JSON.stringify(value, null, spaced ? 1 : 0)) === canonicalize(value)), { numRuns: 3000 })
  t.pass('for 3000 random documents')
})

test('a canonical text is its own canonical text', async (t) => {
  fc.assert(fc.property(iJson.value, (value) => {
    const once = canonical(JSON.stringify(value)) ?? ''
    return canonical(once) === once
  }), { numRuns: 1000 })
  t.pass('for 1000 random documents')
})

test('the example of RFC 8785 section 3.2', async (t) => {
  const source = String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`
  // 333333333.33333329 is not what its double is written as, so the example as a whole is no I-JSON; without it:
  t.equal(canonical(source), undefined)
  t.equal(canonical(source, '/numbers/0'), '{"literals":[null,true,false],"numbers":[1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}')
})

test('names are sorted by UTF-16 code units', async (t) => {
  t.equal(canonical('{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}'), '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
})

test('ways of writing one number are one number', async (t) => {
  const rows: readonly (readonly string[])[] = [
    ['1', '1.0', '1e0', '1E+0', '10e-1', '0.1e1', '1.000000000000000000000000000000'], ['0', '0.0', '0e5', '-0', '-0.0', '0e999999999999'], ['100', '1e2', '1E2', '100.00'],
    ['1e+21', '1000000000000000000000', '1e21'], ['1e-7', '0.0000001'], ['9007199254740992'], ['5e-324'], ['1.7976931348623157e+308'], ['-12.5', '-1.25e1'],
  ]
  for (const [expected = '', ...others] of rows) for (const source of [expected, ...others]) t.equal(canonical(source), expected, source)
})

test('a number that a double would change is not I-JSON', async (t) => {
  for (const source of ['9007199254740993', '12345678901234567890', '0.1000000000000000055511151231257827', '3.141592653589793238462643383279', '1e400', '-1e400', '1e-400', `1${'0'.repeat(400)}`, '1.00000000000000000000000000000001']) {
    t.equal(canonical(source), undefined, source)
  }
})

test('no two integers are one number', async (t) => {
  fc.assert(fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.bigInt({ min: -3n, max: 3n }), (one, apart) => {
    const [first, second] = [canonical(String(one)), canonical(String(one + apart))]
    return first === undefined || second === undefined || (first === second) === (apart === 0n)
  }), { numRuns: 3000 })
  t.pass('for 3000 random pairs')
})

test('text that is not well-formed is not I-JSON, in names and values', async (t) => {
  for (const source of ['"\\ud800"', '"\\udc00\\ud800"', '"a\\udfffb"', '{"\\ud800":1}', '"\\uffff"', '"\\ufdd0"', '"\\ud83f\\udffe"']) t.equal(canonical(source), undefined, source)
  t.equal(canonical('"\\ud83d\\ude00"'), '"😀"')
})

test('what the pointers lead to does not count', async (t) => {
  const base = '{"a":1,"sent":5,"list":[{"t":1,"v":2},3]}'
  t.equal(canonical(base, '/sent', '/list/0/t'), '{"a":1,"list":[{"v":2},3]}')
  t.equal(canonical(base, '/none', '/list/7', '/a/b', '/list/-', '/sent/x'), canonical(base), 'a pointer that leads nowhere takes out nothing')
  t.equal(canonical(base, '/list/1', '/list'), '{"a":1,"sent":5}')
  t.equal(canonical(base, '/list/0'), '{"a":1,"list":[3],"sent":5}')
  t.equal(canonical('{"__proto__":{"x":1},"b":1}', '/__proto__/x'), '{"__proto__":{},"b":1}')
  t.equal(canonical('{"a":1,"big":9007199254740993}', '/big'), '{"a":1}', 'and may be no I-JSON')
})

const MIB = 1024 * 1024
const HOSTILE: readonly [string, 'raw' | 'canonical', string][] = [
  ['arrays in arrays', 'raw', '['.repeat(8 * MIB)],
  ['objects in objects', 'raw', '{"a":'.repeat(1.6 * MIB)],
  ['a hundred thousand names', 'canonical', `{${Array.from({ length: 100_000 }, (_, i) => `"${'k'.repeat(60)}${i * 7919 % 100_003}":${i}`).join()}}`],
  ['a hundred thousand names that look like indexes', 'canonical', `{${Array.from({ length: 100_000 }, (_, i) => `"${(i * 7919) % 16_777_216}":1`).join()}}`],
  ['one long number', 'raw', '1'.repeat(8 * MIB)],
  ['one long exponent', 'raw', `1e${'9'.repeat(8 * MIB)}`],
  ['long numbers', 'canonical', `[${`${'1.5'.padEnd(1000, '0')},`.repeat(8000)}1]`],
  ['numbers that need the slow comparison', 'canonical', `[${`${'1.5'.padEnd(28, '0')},`.repeat(250_000)}1]`],
  ['one string of escapes', 'canonical', `"${'\\n'.repeat(4 * MIB)}"`],
  ['one string that does not end', 'raw', `"${'\\"'.repeat(4 * MIB)}`],
  ['spaces', 'raw', ' '.repeat(8 * MIB)],
  ['commas', 'raw', `[${','.repeat(8 * MIB)}`],
]

for (const [what, expected, source] of HOSTILE) {
  test(`${what}, up to 8 MiB of them, end as ${expected} without breaking the stack`, async (t) => {
    const bytes = Buffer.from(source)
    const startedAt = performance.now()
    const text = canonical(bytes)
    t.comment(`${Math.round(performance.now() - startedAt)} ms for ${Math.round(bytes.length / 1024)} KiB`)
    t.equal(text === undefined ? 'raw' : 'canonical', expected)
  })
}
