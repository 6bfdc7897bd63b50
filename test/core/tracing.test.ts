import fc from 'fast-check'
import { test } from 'tap'
import { carryTrace } from '../../src/core/attempt-fields.ts'
import { originOf } from '../../src/core/event-origin.ts'
import { eventBytes, type Member } from '../../src/core/outbox-events.ts'
import { readTracestate } from '../../src/core/tracestate.ts'
import { isKept, NO_TRACER, sentPlace } from '../../src/core/tracing.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const SENT = `00-${TRACE}-${PARENT}-01`

test('a place in a trace is read of one traceparent, as W3C has it', async (t) => {
  t.strictSame(sentPlace(['Traceparent', SENT]), { traceId: TRACE, spanId: PARENT, sampled: true })
  t.strictSame(sentPlace(['traceparent', `00-${TRACE}-${PARENT}-fe`]), { traceId: TRACE, spanId: PARENT, sampled: false }, 'other flags say nothing')
  t.strictSame(sentPlace(['traceparent', `cc-${TRACE}-${PARENT}-01-more`]), { traceId: TRACE, spanId: PARENT, sampled: true }, 'a later version goes on')
  const wrong = [`${SENT}-more`, `${SENT}.`, `cc-${TRACE}-${PARENT}-01.more`, `ff-${TRACE}-${PARENT}-01`, `00-${TRACE.toUpperCase()}-${PARENT}-01`, `00-${'0'.repeat(32)}-${PARENT}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`, `0-${TRACE}-${PARENT}-01`, '', ` ${SENT}`]
  for (const value of wrong) t.equal(sentPlace(['traceparent', value]), null, value)
  t.equal(sentPlace(['traceparent', SENT, 'TRACEPARENT', SENT]), null, 'two are none')
  t.match(NO_TRACER.receive(['traceparent', SENT], 'POST', '/'), { traceId: TRACE, spanId: null, onward: null })
  t.equal(NO_TRACER.receive([], 'POST', '/'), null)
})

test('the lines of tracestate are one list of at most 32 members, and a wrong one spoils all', async (t) => {
  const members = (n: number): string => Array.from({ length: n }, (_, i) => `k${i}=v`).join(',')
  t.equal(readTracestate(['tracestate', 'a=1, b=2\t,', 'x', 'y', 'Tracestate', ',t@v=3']), 'a=1,b=2,t@v=3')
  t.equal(readTracestate(['tracestate', members(32)]), members(32))
  t.equal(readTracestate(['tracestate', members(30), 'tracestate', 'x=1,y=2,z=3']), '', '33')
  for (const wrong of ['a', 'a=', '=1', 'A=1', 'a =1', 'a=b=c', 'a@b@c=1', '@a=1', 'a@=1', `${'a'.repeat(257)}=1`, `a=${'v'.repeat(257)}`, 'a=\x7f', 'a=ü']) t.equal(readTracestate(['tracestate', `ok=1,${wrong}`]), '', wrong)
  t.equal(readTracestate([`tracestate`, `${'a'.repeat(256)}=${'v'.repeat(256)}`]).length, 513)
  t.equal(readTracestate([]), '')
})

test('the upstream gets one traceparent, ours, and no tracestate of another trace', async (t) => {
  const fields = ['A', '1', 'TraceParent', 'x', 'tracestate', 'a=1', 'B', '2', 'Tracestate', 'b=2']
  carryTrace(fields, TRACE, { spanId: PARENT, sampled: true, tracestate: 'a=1,b=2' }, 'c7ad6b7169203331')
  t.strictSame(fields, ['A', '1', 'B', '2', 'traceparent', `00-${TRACE}-c7ad6b7169203331-01`, 'tracestate', 'a=1,b=2'])
  carryTrace(fields, TRACE, { spanId: PARENT, sampled: false, tracestate: '' }, PARENT)
  t.strictSame(fields, ['A', '1', 'B', '2', 'traceparent', `00-${TRACE}-${PARENT}-00`])
})

const hexadecimal = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const ratio = fc.double({ min: 0, max: 1, noNaN: true })

test('what is kept at a ratio is kept at every larger one, all of it at 1 and nothing at 0', async (t) => {
  fc.assert(fc.property(hexadecimal, ratio, ratio, (traceId, one, other) => {
    t.equal(isKept(traceId, 1), true)
    t.equal(isKept(traceId, 0), false)
    if (isKept(traceId, Math.min(one, other))) t.ok(isKept(traceId, Math.max(one, other)))
  }))
  const ids = fc.sample(hexadecimal, { numRuns: 20_000, seed: 7 }).map((id) => id.slice(0, 18) + Buffer.from(Array.from({ length: 7 }, (_, i) => id.charCodeAt(i * 2) * 37 + id.charCodeAt(i * 2 + 1) * 11 & 255)).toString('hex'))
  const kept = ids.filter((id) => isKept(id, 0.1)).length / ids.length
  t.ok(kept > 0.05 && kept < 0.2, `of 10% it is ${kept}`)
})

test('where an event is from is read of its envelope, and of nothing that its data or its texts say', async (t) => {
  const front: Member[] = [['specversion', '"1.0"'], ['id', '"e"'], ['partitionkey', JSON.stringify('a')]]
  const own: Member = ['traceparent', JSON.stringify(SENT)]
  t.strictSame(originOf(eventBytes([...front, own, ['data', '{}']])), { traceId: TRACE, spanId: PARENT, sampled: true })
  t.strictSame(originOf(eventBytes([...front, own])), { traceId: TRACE, spanId: PARENT, sampled: true })
  const other = JSON.stringify(SENT.replaceAll('0a', '0b'))
  for (const data of [`{"a":1,"traceparent":${other}}`, `{"data":1,"traceparent":${other}}`]) {
    t.equal(originOf(eventBytes([...front, ['data', data]])), null)
    t.match(originOf(eventBytes([...front, own, ['datacontenttype', '"application/json"'], ['data', data]])), { traceId: TRACE })
  }
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.string().map((text) => `${text},"traceparent":"${SENT}"`)), (lane) => {
    t.equal(originOf(eventBytes([['specversion', '"1.0"'], ['partitionkey', JSON.stringify(lane)], ['data', '{}']])), null)
    t.match(originOf(eventBytes([['specversion', '"1.0"'], ['partitionkey', JSON.stringify(lane)], own])), { traceId: TRACE })
  }))
  t.equal(originOf(Buffer.from(`\0\0\0\u0002{}{"a":1,"traceparent":"${SENT}"}`)), null, 'a stored request')
  for (const bytes of ['', '{', '{"specversion":,"traceparent":"', `{"specversion":,"traceparent":"${SENT.slice(0, 40)}`]) t.equal(originOf(Buffer.from(bytes)), null)
})
