import { test } from 'tap'
import { differing, fingerprint, parseSpec, specText, type FingerprintSpec } from '../../src/core/fingerprint.ts'

const SPEC: FingerprintSpec = { version: 1, mode: 'raw', headers: [] }
const INPUT = { method: 'POST', target: '/v1/charges?a=1', fields: ['Content-Type', 'application/json', 'X-Version', '3'], body: Buffer.from('{"amount":1}') }
const of = (change: Partial<typeof INPUT>, spec = SPEC) => fingerprint('secret', spec, { ...INPUT, ...change })

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
})

test('a chosen header counts, value by value', async (t) => {
  const spec: FingerprintSpec = { ...SPEC, headers: ['x-version'] }
  t.not(of({}, spec).digest, of({ fields: ['Content-Type', 'application/json', 'X-Version', '4'] }, spec).digest)
  t.not(of({}, spec).digest, of({ fields: [...INPUT.fields, 'X-Version', '3'] }, spec).digest)
  t.equal(of({}, spec).digest, of({ fields: ['x-version', '3', 'content-type', 'application/json'] }, spec).digest, "names' case and the order of fields do not")
})

test('a multipart boundary does not count', async (t) => {
  const a = of({ fields: ['Content-Type', 'multipart/form-data; boundary=AaB03x'] })
  t.equal(a.digest, of({ fields: ['Content-Type', 'multipart/form-data; boundary="other"'] }).digest)
  t.not(of({ fields: ['Content-Type', 'text/plain; boundary=a'] }).digest, of({ fields: ['Content-Type', 'text/plain; boundary=b'] }).digest)
})

test('a specification survives being stored, and the order of its headers means nothing', async (t) => {
  const spec: FingerprintSpec = { ...SPEC, headers: ['b', 'a'] }
  t.same(parseSpec(specText(spec)), { ...SPEC, headers: ['a', 'b'] })
  t.equal(parseSpec('[2,"json",[]]'), undefined)
  t.equal(parseSpec('not json'), undefined)
})

test('stored digests cannot be matched against guesses without the secret', async (t) => {
  t.not(fingerprint('other', SPEC, INPUT).digest, of({}).digest)
  t.same(differing(fingerprint('other', SPEC, INPUT).parts, of({}).parts), ['method', 'target', 'headers', 'body'])
})
