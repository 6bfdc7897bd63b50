import * as crypto from 'node:crypto'
import { createHmac, createSecretKey } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { Stripe } from 'stripe'
import { test } from 'tap'
import { verifySignature, type SignaturePolicy } from '../../src/core/webhook-signature.ts'

/* The signers are those of other people: the library of Standard Webhooks, and Stripe's own SDK. */

const NOW = 1_764_072_000
const BODY = Buffer.from('{"id":"evt_1","amount":"12 €"}')
const [OLD, NEW, FOREIGN] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer]
const [STRIPE_OLD, STRIPE_NEW, STRIPE_FOREIGN] = ['whsec_oldoldoldoldoldold', 'whsec_newnewnewnewnewnew', 'whsec_forforforforforfor']
const stripe = new Stripe('sk_test_none')

const standardPolicy = (...secrets: readonly Buffer[]): SignaturePolicy => ({ scheme: 'standard-webhooks', secrets: secrets.map((secret) => createSecretKey(secret)), toleranceMs: 300_000 })
const stripePolicy = (...secrets: readonly string[]): SignaturePolicy => ({ scheme: 'stripe', secrets: secrets.map((secret) => createSecretKey(secret, 'utf8')), toleranceMs: 300_000 })

interface Delivery { readonly id: string, readonly at: number | string, readonly secret: Buffer, readonly body: Buffer, readonly signature: string, readonly more: readonly string[] }

function standardFields({ id = 'msg_1', at = NOW, secret = NEW, body = BODY, signature, more = [] }: Partial<Delivery> = {}): string[] {
  const signed = signature ?? new Webhook(secret.toString('base64')).sign(id, new Date(Number(at) * 1000), body)
  return ['Webhook-Id', id, 'Webhook-Timestamp', String(at), 'Webhook-Signature', signed, ...more]
}

function stripeHeader(secret = STRIPE_NEW, timestamp = NOW, body = BODY): string {
  return stripe.webhooks.generateTestHeaderString({ payload: body.toString(), secret, timestamp })
}

function standard(fields: readonly string[], body: Uint8Array = BODY, policy = standardPolicy(NEW, OLD), now = NOW): string {
  const verdict = verifySignature(fields, body, policy, now * 1000 + 999)
  return verdict.kind === 'genuine' ? 'genuine' : verdict.detail
}

function byStripe(header: string | readonly string[], body: Uint8Array = BODY, policy = stripePolicy(STRIPE_NEW, STRIPE_OLD), now = NOW): string {
  const verdict = verifySignature(typeof header === 'string' ? ['Stripe-Signature', header] : header, body, policy, now * 1000)
  return verdict.kind === 'genuine' ? 'genuine' : verdict.detail
}

test('what the library of Standard Webhooks signs is genuine, under each secret that is known', (t) => {
  t.equal(standard(standardFields()), 'genuine')
  t.equal(standard(standardFields({ secret: OLD })), 'genuine', 'the old secret, while they change over')
  t.match(standard(standardFields({ secret: FOREIGN })), /no signature in it is of a secret/)
  const bytes = Buffer.from([0, 255, 254, 10]) // which the library would sign as the text that they are not
  const signature = `v1,${createHmac('sha256', NEW).update(Buffer.concat([Buffer.from(`msg_1.${NOW}.`), bytes])).digest('base64')}`
  t.equal(standard(standardFields({ signature }), bytes), 'genuine', 'bytes that are no text')
  t.equal(standard(standardFields({ body: Buffer.alloc(0) }), new Uint8Array()), 'genuine')
  t.end()
})

test('a change of what was signed is seen', (t) => {
  const signature = new Webhook(NEW.toString('base64')).sign('msg_1', new Date(NOW * 1000), BODY)
  t.equal(standard(standardFields({ signature })), 'genuine')
  t.not(standard(standardFields({ signature, id: 'msg_2' })), 'genuine', 'the id')
  t.not(standard(standardFields({ signature, at: NOW + 1 })), 'genuine', 'the time')
  t.not(standard(standardFields({ signature }), Buffer.concat([BODY, Buffer.from(' ')])), 'genuine', 'one byte of the body')
  t.match(standard(standardFields({ id: 'msg.1' })), /a dot/, 'an id that could be read in two ways')
  t.end()
})

test('one right signature of several is enough', (t) => {
  const right = new Webhook(NEW.toString('base64')).sign('msg_1', new Date(NOW * 1000), BODY)
  const wrong = new Webhook(FOREIGN.toString('base64')).sign('msg_1', new Date(NOW * 1000), BODY)
  t.equal(standard(standardFields({ signature: `${wrong} v1a,AAAA v2,x ${right}` })), 'genuine')
  t.equal(standard(standardFields({ signature: `${`${wrong} `.repeat(300)}${right}` })), 'genuine', 'behind 300 others')
  t.not(standard(standardFields({ signature: `${wrong} `.repeat(300) })), 'genuine')
  t.end()
})

test('a signature of Standard Webhooks has one form', (t) => {
  const right = new Webhook(NEW.toString('base64')).sign('msg_1', new Date(NOW * 1000), BODY)
  const text = right.slice(3)
  for (const [what, signature] of Object.entries({
    'nothing': '', 'no version': text, 'a version of its own': `v2,${text}`, 'the asymmetric one': `v1a,${text}`, 'upper case': `V1,${text}`, 'no padding': `v1,${text.replace(/=+$/, '')}`,
    'more padding': `v1,${text}=`, 'base64url': `v1,${text.replaceAll('+', '-').replaceAll('/', '_').replace(/=$/, '-')}`, 'hex': `v1,${Buffer.from(text, 'base64').toString('hex')}`,
    'bits behind the end': `v1,${text.slice(0, -2)}${String.fromCharCode(text.charCodeAt(text.length - 2) + 1)}=`, 'commas between': `v1,AAAA,${right}`, 'a quote': `"${right}"`, 'a NUL': `${right}\0`, 'a NUL in front': `\0${right}`,
    'a part': right.slice(0, 20), 'not ASCII': `v1,${'é'.repeat(44)}`, 'the word undefined': 'v1,undefined',
  })) t.match(standard(standardFields({ signature })), /no signature in it/, what)
  t.end()
})

test('each header is there once, and stays on the way', (t) => {
  const fields = standardFields()
  for (let i = 0; i < fields.length; i += 2) {
    t.match(standard(fields.toSpliced(i, 2)), /each once/, `without ${fields[i]}`)
    t.match(standard([...fields, ...fields.slice(i, i + 2)]), /each once/, `${fields[i]} twice`)
    t.match(standard([...fields, 'Connection', `close, ${fields[i]}`]), /each once/, `${fields[i]} is taken out on the way`)
  }
  t.match(byStripe(['Stripe-Signature', stripeHeader(), 'stripe-signature', stripeHeader()]), /once/)
  t.match(byStripe(['Stripe-Signature', stripeHeader(), 'Connection', 'Stripe-Signature']), /once/)
  t.match(byStripe([]), /once/)
  t.end()
})

test('a time is good for the tolerance, before and after ours', (t) => {
  for (const away of [0, 299, 300, -299, -300]) {
    t.equal(standard(standardFields({ at: NOW + away })), 'genuine', `${away} s`)
    t.equal(byStripe(stripeHeader(STRIPE_NEW, NOW + away)), 'genuine', `${away} s`)
  }
  for (const away of [301, -301, 86_400, -86_400]) {
    t.match(standard(standardFields({ at: NOW + away })), /too far/, `${away} s`)
    t.match(byStripe(stripeHeader(STRIPE_NEW, NOW + away)), /too far/, `${away} s`)
  }
  t.end()
})

test('a time is whole seconds in one form', (t) => {
  for (const at of ['', 'NaN', 'Infinity', `+${NOW}`, `-${NOW}`, `0${NOW}`, `${NOW}.0`, `${NOW}e0`, `${NOW}x`, ` ${NOW} 0`, `0x${NOW.toString(16)}`, `${NOW}000000000`, `${NOW}\0`, '٣', new Date(NOW * 1000).toISOString()]) {
    t.match(standard(standardFields({ at, signature: 'v1,x' })), /whole seconds/, inspect(at))
    t.match(byStripe(`t=${at},v1=00`), /whole seconds/, inspect(at))
  }
  t.match(standard(standardFields({ at: NOW * 1000, signature: 'v1,x' })), /whole seconds|too far/, 'milliseconds')
  t.end()
})

test('what the SDK of Stripe signs is genuine, under each secret that is known', (t) => {
  t.equal(byStripe(stripeHeader()), 'genuine')
  t.equal(byStripe(stripeHeader(STRIPE_OLD)), 'genuine')
  t.match(byStripe(stripeHeader(STRIPE_FOREIGN)), /no signature in it is of a secret/)
  t.not(byStripe(stripeHeader(), Buffer.from('{"id":"evt_2"}')), 'genuine')
  t.not(byStripe(stripeHeader(STRIPE_NEW.slice('whsec_'.length))), 'genuine', 'the key is all of the text')
  t.not(byStripe(stripeHeader().replace(`t=${NOW}`, `t=${NOW + 1}`)), 'genuine', 'another time')
  const old = stripeHeader(STRIPE_FOREIGN).replace(`t=${NOW}`, '')
  t.equal(byStripe(`t=${NOW}${old.repeat(200)},v0=00,${stripeHeader().split(',')[1]}`), 'genuine', 'behind 200 others')
  t.equal(byStripe(stripeHeader().split(',').toReversed().join(',')), 'genuine', 'in any order')
  t.end()
})

test('a signature of Stripe has one form', (t) => {
  const right = stripeHeader()
  const hex = right.split('v1=')[1] ?? ''
  t.equal(byStripe(`t=${NOW},v1=${hex}`), 'genuine')
  for (const [what, header] of Object.entries({
    'upper case': `t=${NOW},v1=${hex.toUpperCase()}`, 'the test scheme': `t=${NOW},v0=${hex}`, 'base64': `t=${NOW},v1=${Buffer.from(hex, 'hex').toString('base64')}`, 'half of it': `t=${NOW},v1=${hex.slice(0, 32)}`,
    'a NUL': `t=${NOW},v1=${hex}\0`, 'a space': `t=${NOW}, v1=${hex}`, 'semicolons': `t=${NOW},v2=1;v1=${hex}`, 'nothing': `t=${NOW},v1=`, 'no signature': `t=${NOW}`, 'an equals sign more': `t=${NOW},v1==${hex}`,
  })) t.match(byStripe(header), /no signature in it/, what)
  for (const header of ['', ',', 'v1', `v1=${hex}`, `T=${NOW},v1=${hex}`, `t=${NOW},t=${NOW},v1=${hex}`, `t=1,t=${NOW},v1=${hex}`, 't'.repeat(20_000), ','.repeat(20_000)]) t.match(byStripe(header), /one time/, header.slice(0, 30))
  t.end()
})

test('a signature is compared by nothing that ends at the first difference', async (t) => {
  for (const equal of [true, false]) {
    const { verifySignature: verify } = await t.mockImport<typeof import('../../src/core/webhook-signature.ts')>('../../src/core/webhook-signature.ts', { 'node:crypto': { ...crypto, timingSafeEqual: () => equal } })
    const [right, wrong] = [NEW, FOREIGN].map((secret) => verify(standardFields({ secret }), BODY, standardPolicy(NEW), NOW * 1000).kind)
    const [hex, other] = [STRIPE_NEW, STRIPE_FOREIGN].map((secret) => verify(['stripe-signature', stripeHeader(secret)], BODY, stripePolicy(STRIPE_NEW ?? ''), NOW * 1000).kind)
    t.strictSame([right, wrong, hex, other], Array.from({ length: 4 }, () => (equal ? 'genuine' : 'invalid')), 'its word is the only one')
  }
})

test('a secret is in no verdict, and a policy that is printed shows none', (t) => {
  const policy = stripePolicy(STRIPE_NEW)
  for (const shown of [inspect(policy, { depth: 9 }), JSON.stringify(policy), byStripe(stripeHeader(STRIPE_FOREIGN), BODY, policy)]) t.notMatch(shown, 'newnew')
  t.end()
})

test('whatever is sent, the verdict is that of the two libraries, or stricter', (t) => {
  const time = fc.oneof(fc.constantFrom(NOW, NOW - 300, NOW + 301), fc.integer({ min: NOW - 400, max: NOW + 400 }))
  const secret = fc.constantFrom(OLD, NEW, FOREIGN)
  const id = fc.stringMatching(/^[\x21-\x2d\x2f-\x7e]{1,40}$/)
  fc.assert(fc.property(id, time, secret, fc.string(), (name, at, key, text) => {
    const body = Buffer.from(text)
    const wanted = key !== FOREIGN && Math.abs(at - NOW) <= 300
    return (standard(standardFields({ id: name, at, secret: key, body }), body) === 'genuine') === wanted
  }), { numRuns: 300 })
  fc.assert(fc.property(time, fc.constantFrom(STRIPE_OLD, STRIPE_NEW, STRIPE_FOREIGN), fc.json(), (at, key = '', body) => {
    const wanted = key !== STRIPE_FOREIGN && Math.abs(at - NOW) <= 300
    return (byStripe(stripeHeader(key, at, Buffer.from(body)), Buffer.from(body)) === 'genuine') === wanted
  }), { numRuns: 300 })
  const noise = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('v1,', `t=${NOW}`, 'v1=', ',', ' ', String(NOW)))
  fc.assert(fc.property(fc.array(noise), fc.array(noise), (a, b) => standard(standardFields({ signature: a.join(''), id: b.join('') || 'x' })) !== 'genuine' && byStripe(a.join(',')) !== 'genuine'), { numRuns: 500 })
  t.pass('for 1100 random deliveries')
  t.end()
})

test('one bit that is another is enough to be refused', (t) => {
  fc.assert(fc.property(fc.nat(BODY.length * 8 - 1), (bit) => {
    const body = Buffer.from(BODY)
    body[bit >> 3] = (body[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    return standard(standardFields(), body) !== 'genuine' && byStripe(stripeHeader(), body) !== 'genuine'
  }))
  t.pass()
  t.end()
})
