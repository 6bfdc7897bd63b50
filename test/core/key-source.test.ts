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

test('no two sources and no two values share a key', async (t) => {
  const value = fc.string({ unit: fc.constantFrom('a', '1', ':', 'h', '5'), minLength: 1, maxLength: 4 })
  const name = fc.constantFrom('a', 'h', 'a1', 'ce-id')
  const asked = fc.oneof(
    value.map((key) => ({ asked: ['key', key], reading: readKey(['idempotency-key', key]) })),
    fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 3 }).filter((pairs) => new Set(pairs.map(([header]) => header)).size === pairs.length)
      .map((pairs) => ({ asked: ['headers', pairs], reading: readKeyFromHeaders(pairs.flat(), pairs.map(([header]) => header)) })),
    fc.tuple(fc.array(value, { minLength: 1, maxLength: 2 }), fc.oneof(value, fc.nat(20))).map(([pointer, id]) => ({ asked: ['pointer', pointer, id], reading: readKeyFromBody(Buffer.from(JSON.stringify(pointer.reduceRight<unknown>((inner, token) => ({ [token]: inner }), id))), pointer) })),
  )
  fc.assert(fc.property(asked, asked, (one, other) => {
    const same = JSON.stringify(one.asked) === JSON.stringify(other.asked)
    return one.reading.kind === 'present' && other.reading.kind === 'present' && same === (one.reading.key === other.reading.key)
  }), { numRuns: 5000 })
  t.not(keyOf(readKeyFromHeaders(['ce-source', 'a', 'ce-id', 'b:c'], CLOUD_EVENT)), keyOf(readKeyFromHeaders(['ce-source', 'a:b', 'ce-id', 'c'], CLOUD_EVENT)))
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

function keyOf(reading: KeyReading): string {
  if (reading.kind !== 'present') throw new Error(reading.kind)
  return reading.key
}
