import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { differing, fingerprint } from '../../src/core/fingerprint.ts'
import { parseSpec, specText, type FingerprintSpec } from '../../src/core/fingerprint-spec.ts'

const SPEC: FingerprintSpec = { version: 2, mode: 'raw', headers: [] }
const JSON_SPEC: FingerprintSpec = { version: 2, mode: 'json', headers: [], exclude: ['/sent_at'] }
const INPUT = { method: 'POST', target: '/v1/charges?a=1', fields: ['Content-Type', 'application/json', 'X-Version', '3'], body: Buffer.from('{"amount":1}') }
const of = (change: Partial<typeof INPUT>, spec: FingerprintSpec = SPEC) => fingerprint('secret', spec, { ...INPUT, ...change })
const json = (body: string, type = 'application/json', spec: FingerprintSpec = JSON_SPEC) => of({ fields: ['Content-Type', type], body: Buffer.from(body) }, spec).digest

test('the same request has the same fingerprint', async (t) => {
  t.same(of({}), of({ fields: ['x-request-id', 'other', ...INPUT.fields] }), 'fields that were not chosen do not count')
})

test('a mismatch names the part that differed', async (t) => {
  const rows: readonly [Partial<typeof INPUT>, string][] = [
    [{ method: 'PATCH' }, 'method'], [{ target: '/v1/charges?a=2' }, 'target'], [{ target: '/v1//charges?a=1' }, 'target'],
    [{ fields: ['Content-Type', 'text/plain'] }, 'headers'], [{ body: Buffer.from('{"amount":1.0}') }, 'body'], [{ body: Buffer.from('') }, 'body'],
  ]
  for (const [change, part] of rows) {
    t.not(of(change).digest, of({}).digest, part)
    t.same(differing(of(change).parts, of({}).parts), [part])
  }
  t.same(differing(of({ body: Buffer.from('{"amount":2}') }, JSON_SPEC).parts, of({}, JSON_SPEC).parts), ['body'], 'under mode json, too')
})

test('a chosen header counts, value by value', async (t) => {
  const spec: FingerprintSpec = { ...SPEC, headers: ['x-version'] }
  t.not(of({}, spec).digest, of({ fields: ['Content-Type', 'application/json', 'X-Version', '4'] }, spec).digest)
  t.not(of({}, spec).digest, of({ fields: [...INPUT.fields, 'X-Version', '3'] }, spec).digest)
  t.equal(of({}, spec).digest, of({ fields: ['x-version', '3', 'content-type', 'application/json'] }, spec).digest, "names' case and the order of fields do not")
})

test('a multipart body counts by its parts, whatever its boundary is', async (t) => {
  const sent = (boundary: string, ...parts: readonly string[]) => of({
    fields: ['Content-Type', `multipart/form-data; boundary=${boundary}`],
    body: Buffer.from(`${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`),
  })
  const [one, two] = ['Content-Disposition: form-data; name="a"\r\n\r\n1', 'Content-Disposition: form-data; name="b"\r\n\r\n2']
  t.equal(sent('AaB03x', one, two).digest, sent('other', one, two).digest)
  t.not(sent('x', one, two).digest, sent('x', two, one).digest, 'their order counts')
  t.not(sent('x', one, two).digest, sent('x', one).digest)
  t.not(sent('x', 'a: b\r\n\r\n1').digest, sent('x', 'a: c\r\n\r\n1').digest, 'and their headers do')
  t.not(sent('x', 'ab', 'c').digest, sent('x', 'a', 'bc').digest, 'and where one ends')
  t.same(differing(sent('x', one).parts, sent('y', two).parts), ['body'])
})

test('a multipart body that could be cut in two ways is taken raw', async (t) => {
  const sent = (boundary: string) => of({ fields: ['Content-Type', `multipart/form-data; boundary=${boundary}`], body: Buffer.from(`preamble\r\n--${boundary}\r\n\r\n1\r\n--${boundary}--`) })
  t.not(sent('a').digest, sent('b').digest)
  t.equal(sent('a').digest, sent('a').digest)
  t.equal(of({ fields: ['Content-Type', 'multipart/form-data; boundary=AaB03x'] }).digest, of({ fields: ['Content-Type', 'multipart/form-data; boundary="other"'] }).digest, 'the Content-Type still counts without it')
  t.not(of({ fields: ['Content-Type', 'text/plain; boundary=a'] }).digest, of({ fields: ['Content-Type', 'text/plain; boundary=b'] }).digest)
})

test('JSON counts by its data under mode json', async (t) => {
  t.equal(json('{"amount":1,"currency":"eur"}'), json(' { "currency" : "\\u0065ur", "amount" : 1.0 } '))
  t.equal(json('{"amount":1,"sent_at":1}'), json('{"sent_at":"later","amount":1}'))
  t.equal(json('{"amount":1,"sent_at":1}'), json('{"amount":1}'), 'what is excluded may be missing')
  t.not(json('{"amount":1}'), json('{"amount":"1"}'))
  t.not(json('{"amount":1}'), json('{"amount":1}', 'application/json', { ...JSON_SPEC, exclude: [] }), 'the specification is part of the digest')
})

test('which content types are JSON', async (t) => {
  const canonical = (type: string) => json('{"a":1}', type) === json('{ "a": 1.0 }', type)
  for (const type of ['application/json', 'Application/JSON', 'application/json; charset=utf-8', 'application/json ;a=b', 'application/vnd.api+json', 'application/cloudevents+json; charset=UTF-8', 'model/gltf+json']) t.ok(canonical(type), type)
  for (const type of ['', 'text/plain', 'application/jsonp', 'text/json', 'application/x-ndjson', 'application/json-seq', 'application/xml; a=application/json', 'application/xml; a=+json', 'application/json, text/plain']) t.notOk(canonical(type), JSON.stringify(type))
})

test('what is no I-JSON is taken raw under mode json', async (t) => {
  for (const [one, other] of [['{"a":1,"a":2}', '{"a":2}'], ['{"a":9007199254740993}', '{"a":9007199254740992}'], ['{"a":1', '{"a":1 '], ['', ' '], ['"\\ud800"', '"\\ud801"']] as const) t.not(json(one), json(other), one)
  t.equal(json('{"a":1,"a":2}'), json('{"a":1,"a":2}'))
})

test('no bytes pass for the canonical text that they spell', async (t) => {
  const canonical = '{"a":1}'
  t.not(json(canonical, 'application/json'), fingerprint('secret', JSON_SPEC, { ...INPUT, fields: ['Content-Type', 'application/json'], body: Buffer.from(`json:${canonical}`) }).digest)
  // the same spec text, headers and bytes, once canonical and once raw: only a lone surrogate beside an excluded member tells them apart
  const parts = (body: string) => of({ fields: ['Content-Type', 'application/json'], body: Buffer.from(body) }, JSON_SPEC).parts.split('.')[3]
  t.not(parts('{"a":1}'), of({ fields: ['Content-Type', 'text/plain'], body: Buffer.from('{"a":1}') }, JSON_SPEC).parts.split('.')[3], 'a body of the same bytes that was taken raw has another digest')
})

test('an identical retry has the same fingerprint under every specification, a stored one included', async (t) => {
  const headers = fc.subarray(['content-encoding', 'x-a', 'x-b'])
  const specs: fc.Arbitrary<FingerprintSpec> = fc.oneof(
    fc.record({ version: fc.constantFrom(1 as const, 2 as const), mode: fc.constant('raw' as const), headers }),
    fc.record({ version: fc.constant(2 as const), mode: fc.constant('json' as const), headers, exclude: fc.subarray(['/a', '/b/0', '/c']) }),
  )
  const body = fc.oneof(fc.json().map((text) => Buffer.from(text)), fc.uint8Array().map((bytes) => Buffer.from(bytes)), fc.constant(Buffer.from('--x\r\n\r\n1\r\n--x--')))
  const fields = fc.array(fc.tuple(fc.constantFrom('Content-Type', 'X-A', 'x-b'), fc.constantFrom('application/json', 'multipart/form-data; boundary=x', 'text/plain', '')), { maxLength: 4 }).map((pairs) => pairs.flat())
  fc.assert(fc.property(specs, body, fields, (spec, bytes, sent) => {
    const stored = parseSpec(specText(spec))
    return stored !== undefined && of({ body: bytes, fields: sent }, spec).digest === of({ body: Buffer.from(bytes), fields: [...sent] }, stored).digest
  }), { numRuns: 1000 })
  t.pass('for 1000 random requests')
})

test('a specification of version 1 digests as the first release did', async (t) => {
  const body = Buffer.from('--x\r\n\r\n1\r\n--x--')
  const content = createHash('sha256').update(body).digest('base64url')
  const headers = 'content-type\nmultipart/form-data'
  const text = `s\n[1,"raw",[]]\n4:POST2:/a${headers.length}:${headers}${content}`
  const { digest } = fingerprint('s', { version: 1, mode: 'raw', headers: [] }, { method: 'POST', target: '/a', fields: ['Content-Type', 'multipart/form-data; boundary=x'], body })
  t.equal(digest, createHash('sha256').update(text).digest('base64url'))
})

test('stored digests cannot be matched against guesses without the secret', async (t) => {
  t.not(fingerprint('other', SPEC, INPUT).digest, of({}).digest)
  t.same(differing(fingerprint('other', SPEC, INPUT).parts, of({}).parts), ['method', 'target', 'headers', 'body'])
})
