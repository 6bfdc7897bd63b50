import fc from 'fast-check'
import { test } from 'tap'
import { readKey, type KeyReading } from '../../src/core/key.ts'
import { readKeyAhead, readKeyFromBody, readKeyFromHeaders, sourceText } from '../../src/core/key-source.ts'

const CLOUD_EVENT = ['ce-source', 'ce-id']
const inBody = (body: string, ...pointer: readonly string[]) => readKeyFromBody(Buffer.from(body), pointer.length === 0 ? ['id'] : pointer)

test('the Idempotency-Key goes before what the route names, and is the key that it always was', async (t) => {
  const fields = ['webhook-id', 'w', 'Idempotency-Key', 'k']
  for (const source of [{ kind: 'none' }, { kind: 'headers', names: ['webhook-id'] }, { kind: 'pointer', pointer: ['id'] }] as const) t.same(readKeyAhead(fields, source), { kind: 'present', key: 'k' })
  t.match(readKeyAhead(['webhook-id', 'w', 'Idempotency-Key', ''], { kind: 'headers', names: ['webhook-id'] }), { kind: 'invalid' }, 'an invalid one is not passed over')
})

test('without one it is where the route says', async (t) => {
  t.match(readKeyAhead(['Webhook-Id', 'w'], { kind: 'headers', names: ['webhook-id'] }), { kind: 'present' })
  t.same(readKeyAhead(['Webhook-Id', 'w'], { kind: 'none' }), { kind: 'absent' })
  t.same(readKeyAhead([], { kind: 'pointer', pointer: ['id'] }), { kind: 'in-body' })
})

test('a header with an underscore for the hyphen is another header', async (t) => {
  t.same(readKeyAhead(['Idempotency_Key', 'k'], { kind: 'none' }), { kind: 'absent' })
  t.same(readKeyFromHeaders(['webhook_id', 'k'], ['webhook-id']), { kind: 'absent' })
})

const INVALID: readonly [string, readonly string[]][] = [
  ['an empty value', ['ce-source', '', 'ce-id', '1']],
  ['two lines of one header', ['ce-source', '/a', 'ce-id', '1', 'CE-ID', '1']],
  ['one of two headers', ['ce-id', '1']],
  ['a space, as of two joined lines', ['ce-source', '/a', 'ce-id', '1, 2']],
  ['a character above ASCII', ['ce-source', '/é', 'ce-id', '1']],
  ['a control character', ['ce-source', '/a\u0007', 'ce-id', '1']],
  ['more than 1024 characters in all', ['ce-source', 'a'.repeat(1024), 'ce-id', '1']],
  ['a header that Connection would strip', ['Connection', 'CE-Id', 'ce-source', '/a', 'ce-id', '1']],
]

for (const [what, fields] of INVALID) {
  test(`${what} makes no key of headers`, async (t) => t.equal(readKeyFromHeaders(fields, CLOUD_EVENT).kind, 'invalid'))
}

test('headers make a key whatever their case, their order and the spaces around them', async (t) => {
  t.same(readKeyFromHeaders(['ce-id', '1', 'ce-source', '/a'], CLOUD_EVENT), readKeyFromHeaders(['CE-Source', ' /a', 'X', 'y', 'CE-Id', '1\t'], CLOUD_EVENT))
  t.equal(readKeyFromHeaders(['ce-source', 'a'.repeat(1023), 'ce-id', '1'], CLOUD_EVENT).kind, 'present')
  t.same(readKeyFromHeaders(['x', 'y'], CLOUD_EVENT), { kind: 'absent' })
})

test('a text or an integer of the body is a key', async (t) => {
  t.match(inBody('{"id":"evt_1"}'), { kind: 'present' })
  t.match(inBody('{"data":[{"id":"évt 1"}]}', 'data', '0', 'id'), { kind: 'present' })
  t.not(keyOf(inBody('{"id":9007199254740993}')), keyOf(inBody('{"id":9007199254740992}')), 'every digit of an integer counts')
  t.not(keyOf(inBody('{"id":"5"}')), keyOf(inBody('{"id":5}')), 'a text is no integer')
  t.equal(keyOf(inBody('{"id":"a"}')), keyOf(inBody('{"other":1.5, "id" : "\\u0061"}')))
  t.equal(inBody(`{"id":"${'a'.repeat(1024)}"}`).kind, 'present')
  t.not(keyOf(inBody('{"a/b":"x","a":{"b":"x"}}', 'a/b')), keyOf(inBody('{"a/b":"x","a":{"b":"x"}}', 'a', 'b')))
})

test('a body without the member has no key', async (t) => {
  for (const body of ['{}', '{"id":null}', '{"ID":"x"}', '[]', '"id"', '']) t.same(inBody(body), { kind: 'absent' }, JSON.stringify(body))
})

test('a body that does not say its key in one way only has no valid one', async (t) => {
  for (const body of ['{"id":""}', '{"id":true}', '{"id":1.5}', '{"id":1.0}', '{"id":1e3}', '{"id":-0}', '{"id":{}}', '{"id":[1]}', '{"id":"\\ud800"}', '{"id":"a","id":"b"}', '{"id":"a"', 'id=a', ' ', `{"id":"${'a'.repeat(1025)}"}`]) {
    t.equal(inBody(body).kind, 'invalid', body.slice(0, 30))
  }
})

test('no two sources and no two values share a key: all small ones', async (t) => {
  const words = wordsOf(['h', '1', ':'], 4)
  const asInteger = (word: string) => /^(?:0|[1-9]\d*)$/.test(word)
  const readings = [
    ...words.map((word) => readKey(['idempotency-key', word])),
    ...words.map((word) => readKeyFromHeaders(['h', word], ['h'])),
    ...words.map((word) => readKeyFromHeaders(['1', word], ['1'])),
    ...words.flatMap((one) => words.map((other) => readKeyFromHeaders(['1', one, 'h', other], ['1', 'h']))),
    ...words.flatMap((token) => words.map((word) => readKeyFromBody(Buffer.from(JSON.stringify({ [token]: word })), [token]))),
    ...words.flatMap((word) => ['1', 'h'].map((token) => readKeyFromBody(Buffer.from(JSON.stringify({ [token]: { h: word } })), [token, 'h']))),
    ...words.filter(asInteger).flatMap((word) => ['1', 'h'].map((token) => readKeyFromBody(Buffer.from(`{"${token}":${word}}`), [token]))),
  ]
  t.ok(readings.length > 28_000, `${readings.length} were read`)
  t.equal(new Set(readings.map((reading) => keyOf(reading))).size, readings.length)
})

test('no Idempotency-Key spells a key of another source', async (t) => {
  for (const reading of [readKeyFromHeaders(['webhook-id', 'x'], ['webhook-id']), inBody('{"id":"x"}'), inBody('{"id":5}')]) {
    const key = keyOf(reading)
    for (const spelled of [key, key.trim(), JSON.stringify(key), JSON.stringify(key.trim()), String.raw`"\nheaders10:webhook-id1:x"`]) t.not(keyOf(readKey(['Idempotency-Key', spelled]), 'none'), key, spelled)
  }
})

test('no fields and no body make the readers throw', async (t) => {
  const text = fc.string({ unit: 'binary' })
  fc.assert(fc.property(fc.array(fc.oneof(text, fc.constantFrom('ce-id', 'ce-source', 'connection'))), fc.oneof(fc.uint8Array(), fc.json().map((json) => Buffer.from(json))), (fields, body) => {
    readKeyAhead(fields, { kind: 'headers', names: CLOUD_EVENT })
    return ['present', 'absent', 'invalid'].includes(readKeyFromBody(body, ['0']).kind)
  }), { numRuns: 500 })
  t.pass('for 500 random pairs')
})

test('a route can say how it wants its key', async (t) => {
  t.equal(sourceText({ kind: 'none' }), 'an Idempotency-Key')
  t.equal(sourceText({ kind: 'headers', names: CLOUD_EVENT }), 'an Idempotency-Key or ce-source and ce-id')
  t.equal(sourceText({ kind: 'pointer', pointer: ['a/b', 'id'] }), 'an Idempotency-Key or a value at /a~1b/id of its body')
})

function keyOf(reading: KeyReading, otherwise?: string): string {
  if (reading.kind === 'present') return reading.key
  if (otherwise === undefined) throw new Error(reading.kind)
  return otherwise
}

/** Every word of these letters, from 1 to `longest` of them. */
function wordsOf(letters: readonly string[], longest: number): string[] {
  if (longest === 1) return [...letters]
  return [...letters, ...wordsOf(letters, longest - 1).flatMap((word) => letters.map((letter) => word + letter))]
}
