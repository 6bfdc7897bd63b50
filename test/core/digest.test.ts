import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import { hmac, sha256 } from '../../src/core/digest.ts'

const ascii = (maxLength: number) => fc.string({ unit: fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCharCode(code)), maxLength })

test('our HMAC is the HMAC of everybody else', async (t) => {
  fc.assert(fc.property(ascii(64), fc.string({ unit: 'binary', maxLength: 300 }), (secret, text) => hmac(secret, text) === createHmac('sha256', secret).update(text).digest('base64url')), { numRuns: 500 })
  t.pass('for 500 random secrets and texts')
})

test('a secret that would not survive as text is refused', async (t) => {
  t.throws(() => hmac('é', 'x'), RangeError)
  t.throws(() => hmac('x'.repeat(65), 'x'), RangeError)
})

test('the short hash is the same hash', async (t) => {
  t.equal(sha256('text'), createHash('sha256').update('text').digest('base64url'))
  t.equal(sha256(Buffer.from([0, 255])), createHash('sha256').update(Buffer.from([0, 255])).digest('base64url'))
})
