import fc from 'fast-check'
import { test } from 'tap'
import type { Fields } from '../../src/core/headers.ts'
import type { KeyReading } from '../../src/core/key.ts'
import { keysMeant, readKeyAhead, readKeyInBody, sourceText } from '../../src/core/key-source.ts'

const SOURCE = { kind: 'cloudevents' } as const
const STRUCTURED = ['Content-Type', 'application/cloudevents+json; charset=utf-8']

const binary = (source: string, id: string, ...more: readonly string[]): KeyReading | { readonly kind: 'in-body' } => readKeyAhead(['content-type', 'application/json', 'ce-source', source, 'CE-ID', id, ...more], SOURCE, 'ignored')
const structured = (body: string): KeyReading => readKeyInBody(Buffer.from(body), SOURCE)

test('an event has one key, in its headers and in its body', (t) => {
  t.same(binary('/caf%C3%A9?a=%22b%22', '1%25'), structured('{"id":"1%","source":"/caf\\u00e9?a=\\"b\\"","type":"t"}'))
  t.same(readKeyAhead(STRUCTURED, SOURCE), { kind: 'in-body' })
  t.same(readKeyAhead([...STRUCTURED, 'ce-source', '/a', 'ce-id', '1'], SOURCE), { kind: 'in-body' }, 'the type decides which of the two modes it is')
  t.end()
})

test('what names no event is refused or has no key', (t) => {
  for (const [what, reading] of Object.entries({
    'an id alone': readKeyAhead(['ce-id', '1'], SOURCE), 'an empty id': binary('/a', ''), 'half a sequence': binary('/a', '%C3'), 'no sequence': binary('/100%', '1'), 'two ids': binary('/a', '1', 'ce-id', '1'), 'a header that is taken out': binary('/a', '1', 'Connection', 'ce-id'),
    'two types': readKeyAhead([...STRUCTURED, ...STRUCTURED], SOURCE), 'a batch': readKeyAhead(['content-type', 'Application/CloudEvents-Batch+json'], SOURCE), 'too long': binary(`/${'a'.repeat(600)}`, 'b'.repeat(600)),
    'no JSON': structured('x'), 'a name twice': structured('{"id":"1","id":"2","source":"/a"}'), 'a number': structured('{"id":1,"source":"/a"}'), 'no source': structured('{"id":"1"}'), 'an empty source': structured('{"id":"1","source":""}'), 'half a pair': structured('{"id":"\\ud800","source":"/a"}'),
  })) t.equal(reading.kind, 'invalid', what)
  for (const [what, reading] of Object.entries({ 'no header': readKeyAhead(['content-type', 'application/json'], SOURCE), 'no type': readKeyAhead([], SOURCE), 'no member': structured('{}'), 'no body': structured(''), 'a list': structured('[{"id":"1"}]') })) t.equal(reading.kind, 'absent', what)
  t.end()
})

test('two events never have one key, and no noise throws', (t) => {
  const part = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.trim() === text)
  fc.assert(fc.property(part, part, part, part, (a, b, c, d) => {
    const [one, other] = [[a, b], [c, d]].map(([source = '', id = '']) => structured(JSON.stringify({ source, id })))
    return (JSON.stringify(one) === JSON.stringify(other)) === (a === c && b === d)
  }), { numRuns: 500 })
  fc.assert(fc.property(part, part, (source, id) => {
    const ahead = binary(encodeURIComponent(source), encodeURIComponent(id))
    return JSON.stringify(ahead) === JSON.stringify(structured(JSON.stringify({ source, id })))
  }), { numRuns: 500 })
  fc.assert(fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('ce-id', 'ce-source', 'content-type', 'application/cloudevents+json'))), fc.uint8Array(), (fields: Fields, body) => {
    readKeyAhead(fields, SOURCE)
    return ['present', 'absent', 'invalid'].includes(readKeyInBody(body, SOURCE).kind)
  }), { numRuns: 500 })
  t.pass('for 1500 random pairs')
  t.end()
})

test('where an Idempotency-Key counts for nothing, it is not even looked at', (t) => {
  for (const source of [SOURCE, { kind: 'headers', names: ['webhook-id'] }, { kind: 'pointer', pointer: ['id'] }] as const) {
    const fields = ['webhook-id', 'w', 'ce-id', '1', 'ce-source', '/a']
    const without = readKeyAhead(fields, source, 'ignored')
    for (const sent of [['Idempotency-Key', 'k'], ['Idempotency-Key', ''], ['Idempotency-Key', 'k', 'idempotency-key', 'l']]) t.same(readKeyAhead([...fields, ...sent], source, 'ignored'), without, source.kind)
    t.not(readKeyAhead([...fields, 'Idempotency-Key', 'k'], source, 'first'), without)
    t.notMatch(sourceText(source, 'ignored'), 'Idempotency-Key')
  }
  t.same(readKeyAhead(['idempotency-key', 'k'], { kind: 'headers', names: ['webhook-id'] }, 'ignored'), { kind: 'absent' })
  t.match(readKeyAhead(['idempotency-key', 'k'], { kind: 'headers', names: ['idempotency-key'] }, 'ignored'), { kind: 'present' }, 'unless it is the header that a sender has its ids in')
  t.same(keysMeant('1', SOURCE), [], 'one word names no event')
  t.end()
})
