import { test } from 'tap'
import { sourceEvent } from '../../src/core/source-event.ts'
import type { SourceColumns, SourceRow, SourceSettings } from '../../src/core/source-settings.ts'

const COLUMNS: SourceColumns = { order: 'seq', id: 'id', lane: 'lane', type: 'type', payload: 'payload', time: null, traceparent: 'traceparent' }
const SETTINGS: Pick<SourceSettings, 'name' | 'sink' | 'type' | 'columns'> = { name: 'orders', sink: 'payments', type: null, columns: COLUMNS }
const CONTEXT = { service: 'shop', timeMs: Date.UTC(2026, 0, 2) }
const ROW: SourceRow = { order: 7n, id: 'e-7', lane: 'customer-1', type: 'order.created', time: null, traceparent: null, payload: { kind: 'json', text: '{"amount": 12.50}' } }

function built(changes: Partial<SourceRow>, settings = SETTINGS): ReturnType<typeof sourceEvent> & { readonly text: string } {
  const event = sourceEvent({ ...ROW, ...changes }, settings, CONTEXT)
  return { ...event, text: Buffer.from(event.payload).toString() }
}

test('a row is a CloudEvent with its own id, lane and type, and JSON as the database gave it', (t) => {
  const event = built({})
  t.match(event, { id: 'orders:e-7', sink: 'payments', lane: 'customer-1', type: 'order.created', flaw: null })
  t.equal(event.text, '{"specversion":"1.0","id":"orders:e-7","source":"urn:onceward:shop","type":"order.created","time":"2026-01-02T00:00:00.000Z","partitionkey":"customer-1","datacontenttype":"application/json","data":{"amount": 12.50}}')
  t.end()
})

test('without columns of their own the number is the id, each event has a lane, and one type stands for all', (t) => {
  const settings = { ...SETTINGS, type: 'order.changed', columns: { ...COLUMNS, id: null, lane: null, type: null } }
  t.match(built({ id: null, lane: null, type: null }, settings), { id: 'orders:7', lane: 'orders:7', type: 'order.changed', flaw: null })
  t.end()
})

test('texts and bytes that are JSON are data, others say what they are', (t) => {
  t.match(built({ payload: { kind: 'text', text: '[1]' } }).text, /"application\/json","data":\[1\]\}$/)
  t.match(built({ payload: { kind: 'text', text: 'plain' } }).text, /"text\/plain","data":"plain"\}$/)
  t.match(built({ payload: { kind: 'bytes', bytes: Buffer.from('{"a":1}') } }).text, /"application\/json","data":\{"a":1\}\}$/)
  t.match(built({ payload: { kind: 'bytes', bytes: Buffer.from([0, 255]) } }).text, /"application\/octet-stream","data_base64":"AP8="\}$/)
  t.notMatch(built({ payload: { kind: 'none' } }).text, /data/)
  t.end()
})

test('a row that can be no event has its cause, an envelope and an id that nobody else has', (t) => {
  for (const [changes, flaw] of [
    [{ id: null }, 'id: it is null'], [{ id: '' }, 'id: it is empty'], [{ id: 'x'.repeat(129) }, 'id: it is longer than 128 bytes'],
    [{ lane: null }, 'lane: it is null'], [{ lane: 'a\nb' }, 'lane: it has control characters, or what is no character'],
    [{ type: null }, 'type: it is null'], [{ type: 'a\tb' }, 'type: it has control characters'],
    [{ time: Infinity }, 'time: it is not between the years 1 and 9999'], [{ time: -62_135_596_800_001 }, 'time: it is not between the years 1 and 9999'],
    [{ payload: { kind: 'too-large', bytes: 5_000_000 } }, 'payload: it would have 5000000 bytes, and an event has at most 983040'],
    [{ payload: { kind: 'json', text: `"${'x'.repeat(983_000)}"` } }, /^it would have 983\d+ bytes/],
  ] as const) {
    const event = built(changes)
    t.match(event.flaw, flaw, JSON.stringify(changes).slice(0, 60))
    t.ok(event.payload.length < 1000)
    t.match(event.id, 'id' in changes ? 'orders:7' : 'orders:e-7')
    t.doesNotThrow(() => JSON.parse(event.text))
  }
  t.end()
})

test('a trace goes along if it is one', (t) => {
  t.match(built({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }).text, /"traceparent":"00-0af7/)
  t.notMatch(built({ traceparent: 'none' }).text, /traceparent/)
  t.end()
})
