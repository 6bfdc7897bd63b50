import { test } from 'tap'
import { parseTableName } from '../../src/config/table-name.ts'
import { configOf, mistakesIn } from '../support/load-text.ts'

const SINKS = `sinks: { payments: { webhook: { url: "https://hooks.example.com/x", secrets: ["whsec_${Buffer.alloc(32).toString('base64')}"] } } }`
const URL = 'postgres://reader:s3cret@db:5432/shop'

function source(fields: string, url = URL): string {
  return `${SINKS}\noutbox: { sources: { orders: { postgres: "${url}", table: shop.outbox, order: seq, sink: payments, ${fields} } } }`
}

test('a source with the columns of Debezium, and its defaults', async (t) => {
  const config = await configOf(source('preset: debezium'))
  t.strictSame(config.sources, [{
    name: 'orders', url: URL, table: ['shop', 'outbox'], columns: { order: 'seq', id: 'id', lane: 'aggregateid', type: 'type', payload: 'payload', time: null, traceparent: null },
    type: null, sink: 'payments', begin: 'oldest', pollMs: 500, batch: 500, holdMs: 10_000, lateMs: 60_000, leaseMs: 10_000,
  }])
  t.strictSame(config.warnings, [], 'its sink is not idle')
})

test('columns of its own, over a preset or without one', async (t) => {
  const [over] = (await configOf(source('preset: debezium, columns: { lane: customer, time: at }, begin: newest, poll: 50ms, hold: 2s, late: 5m, batch: 10, lease: 3s'))).sources
  t.match(over, { columns: { id: 'id', lane: 'customer', time: 'at', payload: 'payload' }, begin: 'newest', pollMs: 50, holdMs: 2000, lateMs: 300_000, batch: 10, leaseMs: 3000 })
  const [own] = (await configOf(source('type: order.changed, columns: { payload: body, traceparent: trace }'))).sources
  t.match(own, { type: 'order.changed', columns: { order: 'seq', id: null, lane: null, type: null, payload: 'body', traceparent: 'trace' } })
})

test('what a source cannot be, with line and column, and without its URL', async (t) => {
  for (const [text, wanted] of [
    [source('preset: debezium').replace('sink: payments', 'sink: paymnets'), /^2:\d+: outbox\.sources\.orders\.sink: found paymnets; needed: a name under sinks: payments \(write payments\)/],
    [source('type: x'), /^2:\d+: outbox\.sources\.orders\.columns: found no column for payload; needed: columns\.payload, or preset: debezium/],
    [source('columns: { payload: p }'), /^2:\d+: outbox\.sources\.orders\.columns: found no column for type; needed: columns\.type, type, or preset: debezium/],
    [source('preset: debezium', 'postgres://reader:s3cret@a,b/shop'), /^2:\d+: outbox\.sources\.orders\.postgres: found a text that is not shown; needed: one host/],
    [source('preset: debezium', 'mysql://reader:s3cret@a/shop'), /^2:\d+: outbox\.sources\.orders\.postgres: /],
    [source('preset: debezium').replace('orders:', 'Orders!:'), /^2:\d+: outbox\.sources\.Orders!: found Orders!; needed: /],
    [source('preset: debezium').replace('shop.outbox', 'a.b.c'), /^2:\d+: outbox\.sources\.orders\.table: found a\.b\.c; needed: a table such as outbox or shop\.outbox/],
    [source('preset: debezium, poll: 5'), /^2:\d+: outbox\.sources\.orders\.poll: found 5; needed: a duration/],
    [source('preset: debezium, colums: {}'), /^2:\d+: outbox\.sources\.orders\.colums: there is no such field.*columns/],
    [source('preset: debezium').replace('order: seq, ', ''), /outbox\.sources\.orders\.order: .*missing|order/],
  ] as const) {
    const mistakes = await mistakesIn(text)
    t.match(mistakes, [wanted], text)
    t.notMatch(mistakes.join(), 's3cret')
  }
})

test('names of tables', (t) => {
  for (const [text, parts] of [['outbox', ['outbox']], ['shop.outbox', ['shop', 'outbox']], ['"a.b"."c""d"', ['a.b', 'c"d']], ['Shop."X y"', ['Shop', 'X y']]] as const) t.strictSame(parseTableName(text), parts, text)
  for (const text of ['', '.', 'a.', '.a', 'a..b', 'a.b.c', '"a', 'a b', 'a"b', '""', 'x'.repeat(64)]) t.equal(parseTableName(text), undefined, text)
  t.end()
})
