import fc from 'fast-check'
import { test } from 'tap'
import { parseEventTemplate } from '../../src/core/event-template.ts'
import { draftText, MOST_DRAFT_BYTES, renderDraft, type DraftFilling } from '../../src/core/outbox-draft.ts'
import { eventsOf, LONGEST_LANE_BYTES, MOST_PAYLOAD_BYTES, type CompletedReply } from '../../src/core/outbox-events.ts'
import type { DataTemplate, OutboxPolicy } from '../../src/core/outbox-policy.ts'
import { readDraft } from '../../src/core/read-draft.ts'
import { NAUGHTY } from '../support/naughty-strings.ts'

const CONTEXT = { service: 'charges', operationRef: 'op_7', timeMs: Date.parse('2026-03-01T12:00:00Z') }
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

function template(text: string): NonNullable<ReturnType<typeof parseEventTemplate>> {
  const parsed = parseEventTemplate(text)
  if (parsed === undefined) throw new Error(`no template: ${text}`)
  return parsed
}

function leaf(text: string): DataTemplate {
  return { kind: 'text', template: template(text) }
}

function group(members: Readonly<Record<string, string>>): DataTemplate {
  return { kind: 'object', members: Object.entries(members).map(([name, text]) => [name, leaf(text)] as const) }
}

function policy(changes: Partial<Omit<OutboxPolicy, 'lane'>> & { readonly lane?: string } = {}): OutboxPolicy {
  return { on: { classes: [2], statuses: [] }, sink: 'payments', type: 'charge.created', data: null, ...changes, lane: template(changes.lane ?? '{operation}') }
}

function filling(body: string, changes: Partial<DraftFilling> = {}): DraftFilling {
  return { key: 'k-1', identity: 'acme', route: 'create-charge', fields: ['X-Tenant', 'seven', 'traceparent', TRACE], traceparent: null, ...changes, body: Buffer.from(body) }
}

function reply(body: string, changes: Partial<CompletedReply> = {}): CompletedReply {
  return { status: 201, fields: ['Content-Type', 'application/json', 'Location', '/v1/charges/ch_1'], body: Buffer.from(body), ...changes }
}

/** As a process has them that never saw the request. */
function build(policies: readonly OutboxPolicy[], request: DraftFilling, answer: CompletedReply) {
  const draft = renderDraft(policies, request)
  if (draft === null) throw new Error('there are policies')
  const again = readDraft(draftText(draft))
  if (again === undefined) throw new Error('a draft that cannot be read again')
  return eventsOf(again, answer, CONTEXT)
}

function said(policies: readonly OutboxPolicy[], request: DraftFilling, answer: CompletedReply): unknown {
  const [event] = build(policies, request, answer)
  if (event === undefined || event.flaw !== null) throw new Error(event?.flaw ?? 'no event')
  return JSON.parse(Buffer.from(event.payload).toString())
}

test('an event without a word about it has the body of the reply, in an envelope of CloudEvents', (t) => {
  const [event] = build([policy()], filling('{}'), reply('{"id":"ch_1","amount":1.50}'))
  t.match(event, { id: 'evt_op_7', sink: 'payments', lane: 'op_7', type: 'charge.created', flaw: null })
  t.equal(Buffer.from(event?.payload ?? []).toString(), `{"specversion":"1.0","id":"evt_op_7","source":"urn:onceward:charges","type":"charge.created","time":"2026-03-01T12:00:00.000Z","partitionkey":"op_7","traceparent":"${TRACE}","datacontenttype":"application/json","data":{"id":"ch_1","amount":1.50}}`)
  t.end()
})

test('what is one place keeps the type that it has there, and its digits', (t) => {
  const data = group({ id: '{reply:/id}', amount: '{body:/amount}', list: '{body:/list}', no: '{reply:/no}', status: '{status}', text: '{status} for {body:/amount}', tenant: '{header:x-tenant}', who: '{identity}', key: '{key}', route: '{route}', op: '{operation}', at: '{reply-header:location}', empty: '' })
  const [event] = build([policy({ data, lane: 'c-{body:/customer}' })], filling('{"amount":12345678901234567890,"list":[1.0,{"b":true}],"customer":42}'), reply('{"id":"ch_1","no":null}'))
  t.equal(event?.lane, 'c-42')
  t.match(Buffer.from(event?.payload ?? []).toString(), /"data":\{"id":"ch_1","amount":12345678901234567890,"list":\[1\.0,\{"b":true\}\],"no":null,"status":201,"text":"201 for 12345678901234567890","tenant":"seven","who":"acme","key":"k-1","route":"create-charge","op":"op_7","at":"\/v1\/charges\/ch_1","empty":""\}\}$/)
  t.end()
})

test('only the replies that a policy means bring its event, and its id stays the one of its place', (t) => {
  const policies = [policy(), policy({ on: { classes: [4], statuses: [201] }, type: 'b' }), policy({ on: { classes: [1, 2, 3, 4, 5], statuses: [] }, type: 'c', sink: 'log' })]
  const ids = (status: number) => build(policies, filling('{}'), reply('{}', { status })).map(({ id }) => id)
  t.strictSame(ids(201), ['evt_op_7', 'evt_op_7_2', 'evt_op_7_3'])
  t.strictSame(ids(402), ['evt_op_7_2', 'evt_op_7_3'])
  t.strictSame(ids(500), ['evt_op_7_3'])
  t.strictSame(eventsOf(null, reply('{}'), CONTEXT), [])
  t.equal(renderDraft([], filling('{}')), null)
  t.end()
})

test('a body that is no JSON goes as its bytes, with what it says it is', (t) => {
  const data_base64 = Buffer.from('<a/>').toString('base64')
  t.match(said([policy()], filling(''), reply('<a/>', { fields: ['Content-Type', 'text/xml'] })), { datacontenttype: 'text/xml', data_base64, data: undefined })
  t.match(said([policy()], filling(''), reply('<a/>')), { datacontenttype: 'application/json', data_base64 }, 'it lied')
  t.match(said([policy()], filling(''), reply('{"a":1}', { fields: ['Content-Type', 'application/json', 'Content-Encoding', 'br'] })), { datacontentencoding: 'br', data_base64: Buffer.from('{"a":1}').toString('base64') })
  t.match(said([policy()], filling(''), reply('{"a":1}', { fields: ['Content-Type', 'application/vnd.api+json; v=1'] })), { datacontenttype: 'application/vnd.api+json; v=1', data: { a: 1 } })
  t.match(said([policy()], filling(''), reply('{"a":1,"a":2}')), { data_base64: /^e/ }, 'a name twice')
  const bare = said([policy()], filling(''), reply('', { status: 204, fields: [] }))
  t.notOk(Object.keys(bare ?? {}).some((name) => name.startsWith('data')))
  t.end()
})

test('what is missing is a flaw of the event, which keeps its envelope', (t) => {
  const cases: readonly (readonly [Parameters<typeof policy>[0], string, Partial<CompletedReply>, RegExp])[] = [
    [{ data: group({ a: '{body:/nowhere}' }) }, '{}', {}, /^data\.a: \{body:\/nowhere\}: the body of the request has nothing there/],
    [{ data: group({ a: '{body:/x}' }) }, 'no json', {}, /the body of the request is no JSON/],
    [{ data: group({ a: 'x{body:/x}' }) }, '{"x":{}}', {}, /no text or integer there/],
    [{ data: group({ a: '{header:x-other}' }) }, '{}', {}, /the request has no such header/],
    [{ data: group({ a: '{reply:/id}' }) }, '{}', { body: Buffer.from('{}') }, /^data\.a: \{reply:\/id\}: the reply has nothing there/],
    [{ data: group({ a: '{reply:/id}' }) }, '{}', { body: Buffer.from('x') }, /the body of the reply is no JSON/],
    [{ data: group({ a: '{reply:/id}' }) }, '{}', { body: null }, /the body of the reply was not kept/],
    [{ data: group({ a: '{reply-header:etag}' }) }, '{}', {}, /the reply has no such header/],
    [{}, '{}', { body: null }, /^data: the body of the reply was not kept/],
    [{}, '{}', { body: Buffer.alloc(MOST_PAYLOAD_BYTES, ' ') }, /it would have \d+ bytes|no JSON|larger/],
    [{ data: group({ a: '{reply:/a}', b: '{reply:/a}' }) }, '{}', { body: Buffer.from(`{"a":"${'x'.repeat(MOST_PAYLOAD_BYTES / 2)}"}`) }, /it would have 98\d+ bytes/],
    [{ lane: '{body:/c}' }, '{"c":{}}', {}, /^lane: \{body:\/c\}/],
    [{ lane: '{body:/c}' }, '{"c":""}', {}, /lane: it is empty/],
    [{ lane: '{body:/c}' }, '{"c":"a\\u0000b"}', {}, /lane: it has control characters/],
    [{ lane: '{body:/c}' }, '{"c":"a\\u0085b"}', {}, /lane: it has control characters/],
    [{ lane: '{body:/c}' }, '{"c":"a\\ud800b"}', {}, /lane: .*no character/],
    [{ lane: '{body:/c}' }, `{"c":"${'ä'.repeat(LONGEST_LANE_BYTES / 2)}x"}`, {}, /lane: it is longer than 1024 bytes/],
    [{ lane: '{reply:/c}' }, '{}', { body: Buffer.from('{"c":[]}') }, /^lane: \{reply:\/c\}: the reply has no text or integer/],
  ]
  for (const [changes, body, answer, flaw] of cases) {
    const [event] = build([policy(changes)], filling(body), reply('{}', answer))
    t.match(event, { id: 'evt_op_7', sink: 'payments', type: 'charge.created', lane: 'op_7' })
    t.match(event?.flaw, flaw)
    const envelope: unknown = JSON.parse(Buffer.from(event?.payload ?? []).toString())
    t.match(envelope, { specversion: '1.0', id: 'evt_op_7', partitionkey: 'op_7', traceparent: TRACE })
    t.notOk(Object.keys(envelope ?? {}).some((name) => name.startsWith('data')), 'and nothing of what it would have said')
  }
  t.match(build([policy({ data: group({ a: '{identity}' }) })], filling('{}', { identity: null }), reply('{}'))[0]?.flaw, /nobody has vouched/)
  t.equal(build([policy({ lane: '{body:/c}', data: group({ a: '{reply:/id}' }) })], filling('{"c":"c-9"}'), reply('{}'))[0]?.lane, 'c-9', 'a lane that is right is kept')
  t.end()
})

test('a request that says more than a draft may have costs its events what they say, and nothing else', (t) => {
  const data = group({ note: '{body:/note}' })
  const request = filling(JSON.stringify({ note: 'n'.repeat(MOST_DRAFT_BYTES * 0.6), c: 'c-1' }))
  const draft = renderDraft([policy({ data, lane: '{body:/c}' }), policy({ data, lane: '{body:/c}' }), policy({ lane: '{body:/note}' })], request)
  if (draft === null) throw new Error('there are policies')
  t.ok(Buffer.byteLength(draftText(draft)) < MOST_DRAFT_BYTES + 4096)
  t.match(eventsOf(draft, reply('{}'), CONTEXT), [
    { lane: 'c-1', flaw: null }, { lane: 'c-1', flaw: /is larger than 262144 bytes/ }, { lane: 'op_7', flaw: /is larger than/ },
  ])
  t.end()
})

test('a streamed reply brings the events that need nothing of its body', (t) => {
  const answer: CompletedReply = { status: 200, fields: ['Location', '/x'], body: null }
  t.match(said([policy({ data: group({ a: '{body:/a}', at: '{reply-header:location}' }) })], filling('{"a":1}'), answer), { data: { a: 1, at: '/x' } })
  t.end()
})

test('a traceparent that is none, or that came twice, is none', (t) => {
  for (const fields of [[], ['traceparent', `${TRACE}0`], ['traceparent', TRACE, 'traceparent', TRACE], ['traceparent', TRACE.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32))], ['traceparent', `ff${TRACE.slice(2)}`]]) {
    t.notMatch(said([policy()], filling('{}', { fields }), reply('{}')), { traceparent: /./ })
  }
  t.end()
})

test('a draft of another version, or of nobody, is not read', (t) => {
  for (const text of ['', 'null', '{}', '[]', '{"v":2,"traceparent":null,"events":[]}', '{"v":1,"traceparent":null,"events":[{}]}', 'sealed:abc', `{"v":1,"traceparent":null,"events":${'['.repeat(5000)}`]) t.equal(readDraft(text), undefined)
  t.strictSame(readDraft('{"v":1,"traceparent":null,"events":[]}'), { v: 1, traceparent: null, events: [] })
  t.end()
})

test('whatever request and reply say: an event is built, it is a CloudEvent in JSON, and the same one each time', (t) => {
  const text = fc.oneof(fc.constantFrom(...NAUGHTY), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme-composite' }), fc.constantFrom('\0', '\uD800', '\uDFFF\uD800', '\uFFFE\uFFFF', '\u2028', '"}', '\u007F\u0080', 'x'.repeat(1025)))
  const body = fc.oneof(
    fc.record({ a: fc.oneof(text, fc.jsonValue()), b: text }, { requiredKeys: [] }).map((value) => Buffer.from(JSON.stringify(value))),
    fc.uint8Array({ maxLength: 64 }), text.map((value) => Buffer.from(`{"a":"${value}"}`)), fc.constant(null),
  )
  const places = ['{key}', '{identity}', '{operation}', '{route}', '{status}', '{header:x-a}', '{body:/a}', '{body:/b}', '{reply:/a}', '{reply:/b}', '{reply-header:x-a}']
  const words = fc.array(fc.oneof(fc.constantFrom(...places), text.map((value) => value.replaceAll(/[{}]/g, ''))), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''))
  const fields = text.map((value) => ['X-A', value, 'Content-Type', value, 'traceparent', value])
  fc.assert(fc.property(words, fc.option(fc.dictionary(text, words, { maxKeys: 3 })), body, body, fields, text, fc.integer({ min: 200, max: 599 }), (lane, data, asked, answered, headers, word, status) => {
    const policies = [policy({ lane, data: data === null ? null : group(data), on: { classes: [2, 3, 4, 5], statuses: [] } }), policy({ on: { classes: [2, 3, 4, 5], statuses: [] } })]
    const request: DraftFilling = { key: word, identity: word, route: 'a', fields: headers, traceparent: null, body: asked ?? new Uint8Array() }
    const answer: CompletedReply = { status, fields: headers, body: answered }
    const events = build(policies, request, answer)
    t.equal(events.length, 2)
    t.strictSame(build(policies, request, answer), events)
    for (const { id, lane: used, type, payload } of events) {
      const written = Buffer.from(payload).toString()
      if (Buffer.from(written).compare(payload) !== 0 || /[\uFFFE\uFFFF]/.test(written)) throw new Error('not UTF-8, or not for everybody')
      const event: unknown = JSON.parse(written)
      t.match(event, { specversion: '1.0', id, type, source: 'urn:onceward:charges', partitionkey: used, time: String })
      if (used === '' || /\p{Cc}|\p{Surrogate}/u.test(used) || Buffer.byteLength(used) > LONGEST_LANE_BYTES) throw new Error(`lane ${JSON.stringify(used)}`)
    }
  }), { numRuns: 400 })
  t.end()
})
