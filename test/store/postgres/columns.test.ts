import { test } from 'tap'
import { inOrder } from '../../../src/store/postgres/answers.ts'
import { ids, numbers, Packed, texts } from '../../../src/store/postgres/columns.ts'

test('array literals are what the server reads them as', (t) => {
  const same = (text: string): string => text
  t.equal(texts([], same), '{}')
  t.equal(texts(['a', '', 'NULL', 'a b', '{,}'], same), '{"a","","NULL","a b","{,}"}')
  t.equal(texts(['say "hi"', 'a\\b'], same), '{"say \\"hi\\"","a\\\\b"}')
  t.equal(numbers([1, -2, null, 1.5e12], (value) => value), '{1,-2,null,1500000000000}')
  t.end()
})

test('ids are packed in 32 bytes each, and what is no id is zeros', (t) => {
  const id = Buffer.alloc(32, 7).toString('base64url')
  t.equal(ids([{ id }, { id: 'no id' }, { id: `${id}A` }]).toString('hex'), `${'07'.repeat(32)}${'00'.repeat(64)}`)
  t.end()
})

test('bytes and texts lie one behind the other, counted from 1', (t) => {
  const packed = new Packed()
  const places = [packed.next, packed.add('\u00e9'), packed.next, packed.add(Buffer.from('ab')), packed.next, packed.add(''), packed.next]
  t.strictSame(places, [1, 2, 3, 2, 5, 0, 5])
  t.equal(packed.bytes().toString('hex'), 'c3a96162')
  t.end()
})

test('the order of a batch is that of the bytes of its ids', (t) => {
  const batch = Array.from({ length: 300 }, (_, n) => ({ id: Buffer.alloc(32, (n * 89) % 256).toString('base64url') }))
  const order = inOrder(batch).map((place) => Buffer.from(batch[place]?.id ?? '', 'base64url'))
  for (const [n, bytes] of order.entries()) if (n > 0) t.ok(Buffer.compare(order[n - 1] ?? bytes, bytes) <= 0)
  t.end()
})
