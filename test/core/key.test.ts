import fc from 'fast-check'
import { test } from 'tap'
import { keyDigest, keyId, readKey } from '../../src/core/key.ts'

test('a quoted and a bare key are the same key', async (t) => {
  t.same(readKey(['Idempotency-Key', '"8e03978e-40d5"']), { kind: 'present', key: '8e03978e-40d5' })
  t.same(readKey(['idempotency-key', '8e03978e-40d5']), { kind: 'present', key: '8e03978e-40d5' })
  t.same(readKey(['IDEMPOTENCY-KEY', '"8e03978e-40d5";a=1']), { kind: 'present', key: '8e03978e-40d5' }, 'parameters parse and mean nothing')
  t.same(readKey(['Idempotency-Key', String.raw`"a\"b\\c"`]), { kind: 'present', key: String.raw`a"b\c` })
})

test('every bare key means the same when it is quoted', async (t) => {
  const visible = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 255 })
  fc.assert(fc.property(visible, (key) => {
    const quoted = `"${key.replace(/[\\"]/g, String.raw`\$&`)}"`
    const reading = readKey(['Idempotency-Key', quoted])
    return reading.kind === 'present' && reading.key === key && (key.startsWith('"') || JSON.stringify(readKey(['Idempotency-Key', key])) === JSON.stringify(reading))
  }))
  t.pass('for 100 random keys')
})

test('no header value makes the reader throw', async (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (value) => ['present', 'invalid'].includes(readKey(['Idempotency-Key', value]).kind)))
  t.pass('for 100 random values')
})

const INVALID: readonly [string, readonly string[]][] = [
  ['an empty key', ['Idempotency-Key', '']],
  ['an empty quoted key', ['Idempotency-Key', '""']],
  ['a key of 256 characters', ['Idempotency-Key', 'k'.repeat(256)]],
  ['a key with a space, as of two joined lines', ['Idempotency-Key', 'k1, k2']],
  ['two lines', ['Idempotency-Key', 'k1', 'Idempotency-Key', 'k2']],
  ['two equal lines', ['Idempotency-Key', 'k1', 'idempotency-key', 'k1']],
  ['an unterminated quote', ['Idempotency-Key', '"k1']],
  ['something behind the quote', ['Idempotency-Key', '"k1" x']],
  ['a control character', ['Idempotency-Key', 'k\u0007']],
  ['a character above ASCII', ['Idempotency-Key', 'clé']],
  ['a key that Connection would strip', ['Connection', 'close, Idempotency-Key', 'Idempotency-Key', 'k1']],
]

for (const [what, fields] of INVALID) {
  test(`${what} is refused`, async (t) => t.equal(readKey(fields).kind, 'invalid'))
}

test('a key of 255 characters is taken', async (t) => t.equal(readKey(['Idempotency-Key', 'k'.repeat(255)]).kind, 'present'))

test('a request without the header has no key', async (t) => t.same(readKey(['Host', 'a']), { kind: 'absent' }))

test('no two triples of service, identity and key share an id', async (t) => {
  const part = fc.string({ maxLength: 6, unit: fc.constantFrom('a', '1', ':', '\n') })
  fc.assert(fc.property(fc.tuple(part, part, part), fc.tuple(part, part, part), (one, other) => {
    const same = one.every((text, i) => text === other[i])
    return same === (keyId('s', ...one) === keyId('s', ...other))
  }), { numRuns: 2000 })
  t.equal(Buffer.from(keyId('s', 'a', 'b', 'c'), 'base64url').length, 32)
})

test('a key digest does not depend on who asks, and an id does on the secret', async (t) => {
  t.equal(keyDigest('s', 'k'), keyDigest('s', 'k'))
  t.not(keyDigest('s', 'k'), keyDigest('other', 'k'))
  t.not(keyId('s', 'a', 'b', 'c'), keyId('other', 'a', 'b', 'c'))
})
