import fc from 'fast-check'
import { test } from 'tap'
import { forwardedFields, hasPassed, misnominated, type Hop } from '../../src/core/forwarding.ts'
import { connectionNames, takesTrailers, type Fields } from '../../src/core/headers.ts'

const HOP: Hop = { peer: '192.0.2.1', trusted: false, secure: false, httpVersion: '1.1', pseudonym: 'onceward-x', host: null, forwarded: false }

function said(fields: Fields, name: string): string[] {
  return fields.flatMap((part, i) => (i % 2 === 0 && part.toLowerCase() === name ? [fields[i + 1] ?? ''] : []))
}

test('an IPv6 peer is bracketed and quoted in Forwarded, and bare in X-Forwarded-For', async (t) => {
  const fields = forwardedFields(['Host', '[::1]:8080'], { ...HOP, peer: '2001:db8::7', secure: true, forwarded: true })
  t.same(said(fields, 'forwarded'), ['for="[2001:db8::7]";host="[::1]:8080";proto=https'])
  t.same(said(fields, 'x-forwarded-for'), ['2001:db8::7'])
  t.same(said(fields, 'x-forwarded-proto'), ['https'])
})

test('a chain over several lines is continued at its end, in its order', async (t) => {
  const chain = ['X-Forwarded-For', 'a', 'X-B', '1', 'x-forwarded-for', 'b, c', 'Via', '', 'Via', '1.1 p']
  const fields = forwardedFields(chain, { ...HOP, trusted: true })
  t.same(said(fields, 'x-forwarded-for'), ['a', 'b, c, 192.0.2.1'])
  t.same(said(fields, 'via'), ['', '1.1 p, 1.1 onceward-x'])
})

test('a client cannot take away what we add: ours comes after the stripping', async (t) => {
  for (const name of ['Via', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'Forwarded']) {
    const fields = forwardedFields(['Host', 'a', 'Connection', name, name, 'theirs'], { ...HOP, forwarded: true })
    t.equal(said(fields, name.toLowerCase()).length, 1, name)
    t.notMatch(fields, ['theirs'])
    t.equal(misnominated(['Connection', `x, ${name.toUpperCase()}`]), name.toLowerCase())
  }
})

test('whatever the fields are: no reader throws, and no hop-by-hop field goes on', async (t) => {
  const name = fc.oneof(fc.constantFrom('Connection', 'Via', 'TE', 'Host', 'Forwarded', 'X-Forwarded-For', 'keep-alive', 'Upgrade', 'X_Forwarded_Proto'), fc.string())
  const value = fc.oneof(fc.constantFrom('close', 'x-hop, via', '1.1 onceward-x', '1.0 a (b, c)', ',,,', '"'), fc.string({ unit: 'binary' }))
  fc.assert(fc.property(fc.array(fc.tuple(name, value), { maxLength: 12 }), fc.boolean(), (lines, trusted) => {
    const fields = lines.flat()
    const sent = forwardedFields(fields, { ...HOP, trusted })
    hasPassed(fields, HOP.pseudonym)
    takesTrailers(fields)
    misnominated(fields)
    const nominated = connectionNames(fields)
    const names = sent.filter((_, i) => i % 2 === 0).map((part) => part.toLowerCase())
    const ours = new Set(['via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded'])
    return names.every((sentName) => ours.has(sentName) || (!nominated.has(sentName) && !['connection', 'te', 'keep-alive', 'upgrade'].includes(sentName)))
      && (trusted || !names.includes('x_forwarded_proto')) && hasPassed(sent, HOP.pseudonym)
  }), { numRuns: 5000 })
  t.pass('for 5,000 random header sections')
})

test('a pseudonym is found as a whole word of Via and nowhere else', async (t) => {
  t.ok(hasPassed(['via', '1.1 a,\t1.0\tonceward-x (note)'], 'onceward-x'))
  t.notOk(hasPassed(['Via', '1.1 onceward-xy, 1.1 a (1.1 onceward-x)'], 'onceward-x'))
  t.notOk(hasPassed(['X-Via', '1.1 onceward-x'], 'onceward-x'))
})
