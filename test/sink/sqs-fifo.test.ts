import { test, type Test } from 'tap'
import type { Sink } from '../../src/core/outbox-ports.ts'
import { systemClock } from '../../src/host/clock.ts'
import { legalName } from '../../src/sink/sqs-entry.ts'
import { openSqsSink } from '../../src/sink/sqs-fifo.ts'
import { outgoing } from '../contract/sink-situation.ts'
import { answer, fault, scriptedSqs, type ScriptedSqs } from './scripted-sqs.ts'

const DELIVERED = { kind: 'delivered' }

async function open(t: Test, sqs: ScriptedSqs, late: number[] = []): Promise<Sink> {
  const sink = await openSqsSink('queue', sqs.settings, { clock: systemClock(), meter: { sentLate: (_sink, events) => void late.push(events) } })
  t.teardown(() => sink.close())
  return sink
}

function deliver(sink: Sink, ...events: ReturnType<typeof outgoing>[]): ReturnType<Sink['deliver']> {
  return sink.deliver(events, new AbortController().signal)
}

test('an entry has lane, id and content, and as attributes what receivers filter by', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await open(t, sqs)
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const plain = outgoing('customer-7', { text: 'Grüße 🧾 \ufeff' })
  const traced = outgoing('customer-8', {}, { payload: Buffer.from(JSON.stringify({ id: 'x', traceparent })) })
  t.strictSame(await deliver(sink, plain, traced), [DELIVERED, DELIVERED])
  const [first, second] = sqs.calls[0] ?? []
  t.match(first, { MessageGroupId: 'customer-7', MessageDeduplicationId: plain.id, MessageBody: Buffer.from(plain.payload).toString('utf8') })
  t.strictSame(first?.MessageAttributes, {
    'content-type': { DataType: 'String', StringValue: 'application/cloudevents+json' },
    ce_id: { DataType: 'String', StringValue: plain.id },
    ce_type: { DataType: 'String', StringValue: 'charge.created' },
  })
  t.match(second?.MessageAttributes['traceparent'], { StringValue: traceparent })
  for (const wrong of ['{"traceparent":"x"}', '{"traceparent":1}', '"traceparent"', '{"data":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}', '{"traceparent"']) {
    await deliver(sink, outgoing('a', {}, { payload: Buffer.from(wrong) }))
    t.notOk('traceparent' in (sqs.calls.at(-1)?.[0]?.MessageAttributes ?? {}), wrong)
  }
})

test('without an endpoint the queue itself says where it is, and the SDK writes nothing to the console', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await openSqsSink('queue', { ...sqs.settings, endpoint: null }, { clock: systemClock(), meter: { sentLate: () => undefined } })
  const warned = t.capture(console, 'warn')
  t.strictSame(await deliver(sink, outgoing('a')), [DELIVERED])
  t.equal(sqs.calls.length, 1)
  t.strictSame(warned(), [])
  await sink.close()
})

test('what is ended from our side blames nobody, and is not sent again', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await open(t, sqs)
  const stop = new AbortController()
  sqs.wholeCall = () => {
    stop.abort()
    return true
  }
  t.match(await sink.deliver([outgoing('a'), outgoing('b')], stop.signal), [{ kind: 'retryable', blame: 'unknown' }, { kind: 'retryable', blame: 'unknown' }])
  t.match(await sink.deliver([outgoing('a')], stop.signal), [{ kind: 'retryable', blame: 'unknown' }])
  t.equal(sqs.calls.length, 1)
})

test('names that SQS does not take are hashed, one to one', async (t) => {
  for (const legal of ['a', 'customer:7', 'evt_abc', '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', 'x'.repeat(128)]) t.equal(legalName(legal), legal)
  for (const illegal of ['', 'a b', 'ä', 'a\n', 'x'.repeat(129), legalName('a b')]) {
    t.match(legalName(illegal), /^sha256:[\w-]{43}$/)
    t.equal(legalName(illegal), legalName(illegal), 'the same every time')
  }
  t.not(legalName(legalName('a b')), legalName('a b'), 'a lane called like the hash of another is not that one')
})

test('what fails in part is judged entry by entry, and each end belongs to its event', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await open(t, sqs)
  const fates = new Map<string, ReturnType<ScriptedSqs['eachEntry']>>([
    ['lane-1', { Code: 'InvalidMessageContents', SenderFault: true, Message: 'secret-of-the-message' }],
    ['lane-2', { Code: 'InternalError', SenderFault: false }],
    ['lane-3', { Code: 'InvalidParameterValue', SenderFault: true }],
    ['lane-4', { Code: 'AccessDenied', SenderFault: true }],
    ['lane-5', { Code: 'KMS.AccessDeniedException', SenderFault: true }],
    ['lane-6', { Code: 'AWS.SimpleQueueService.NonExistentQueue', SenderFault: true }],
    ['lane-7', { Code: 'RequestThrottled', SenderFault: true }],
    ['lane-8', 'ignored'],
  ])
  sqs.eachEntry = ({ MessageGroupId }) => fates.get(MessageGroupId) ?? 'taken'
  const ends = await deliver(sink, ...Array.from({ length: 10 }, (_, n) => outgoing(`lane-${n}`)))
  t.match(ends, [
    DELIVERED,
    { kind: 'refused', reason: 'SQS does not take it (InvalidMessageContents)' },
    { kind: 'retryable', blame: 'sink', cause: /InternalError/ },
    { kind: 'retryable', blame: 'event', cause: /InvalidParameterValue/ },
    { kind: 'retryable', blame: 'sink' },
    { kind: 'retryable', blame: 'sink' },
    { kind: 'retryable', blame: 'sink', cause: /NonExistentQueue/ },
    { kind: 'retryable', blame: 'sink' },
    { kind: 'retryable', blame: 'unknown' },
    DELIVERED,
  ])
  t.equal(ends.length, 10)
  t.equal(sqs.calls.length, 1)
  t.equal(sink.shape.perLane, 1, 'so that no later entry of a lane is taken where an earlier one failed')
  t.notMatch(JSON.stringify(ends), /secret/)
})

const WHOLE: readonly [string, (sqs: ScriptedSqs) => void, object][] = [
  ['throttling', says(400, 'RequestThrottled'), { blame: 'sink' }],
  ['throttling as other services say it', says(400, 'ThrottlingException'), { blame: 'sink' }],
  ['throttling by status', says(429, 'Whatever'), { blame: 'sink' }],
  ['a queue that is not there', says(400, 'QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue'), { blame: 'sink' }],
  ['a key that nobody knows', says(403, 'InvalidClientTokenId'), { blame: 'sink' }],
  ['a key that may not', says(400, 'AccessDeniedException'), { blame: 'sink' }],
  ['a session that ended', says(400, 'ExpiredTokenException'), { blame: 'sink' }],
  ['a clock that is wrong', says(400, 'RequestTimeTooSkewed'), { blame: 'sink' }],
  ['an encryption key that may not be used', says(400, 'KmsAccessDenied', 'KMS.AccessDeniedException'), { blame: 'sink' }],
  ['SQS in trouble', says(500, 'InternalFailure'), { blame: 'sink' }],
  ['SQS overloaded', says(503, 'ServiceUnavailable'), { blame: 'sink' }],
  ['a page of a proxy', (sqs) => { sqs.wholeCall = (response) => { response.writeHead(502, { 'content-type': 'text/html' }).end('<html>secret</html>'); return true } }, { blame: 'sink' }],
  ['half an answer', (sqs) => { sqs.wholeCall = (response) => { response.writeHead(200, { 'content-length': '100' }).write('{"Succ'); setTimeout(() => response.destroy(), 20); return true } }, { blame: 'sink' }],
  ['a reset', (sqs) => { sqs.wholeCall = (response) => { response.socket?.resetAndDestroy(); return true } }, { blame: 'sink' }],
  ['silence', (sqs) => { sqs.wholeCall = () => true }, { blame: 'sink', cause: 'no answer of SQS (TIMEOUT)' }],
]

test('a call that fails as a whole is the sink, costs no event anything, and is made once', async (t) => {
  for (const [what, script, expected] of WHOLE) {
    const sqs = await scriptedSqs(t, 500)
    const sink = await open(t, sqs)
    script(sqs)
    const ends = await deliver(sink, outgoing('a'), outgoing('b'))
    t.match(ends, [{ kind: 'retryable', ...expected }, { kind: 'retryable', ...expected }], what)
    t.equal(sqs.calls.length, 1, `${what}: nothing but the relay repeats`)
    t.notMatch(JSON.stringify(ends), /secret|AKID/, `${what}: nothing that is not for the log`)
  }
})

test('an event for which SQS refuses the whole call is found, and the others are delivered', async (t) => {
  for (const [name, kind] of [['InvalidMessageContents', 'refused'], ['BatchRequestTooLong', 'refused'], ['InvalidParameterValue', 'retryable']] as const) {
    const sqs = await scriptedSqs(t)
    const sink = await open(t, sqs)
    sqs.wholeCall = (response, entries) => entries.some(({ MessageGroupId }) => MessageGroupId === 'poison') && fault(response, 400, name)
    const ends = await deliver(sink, outgoing('a'), outgoing('poison'), outgoing('b'))
    t.strictSame(ends.map((end) => end.kind), ['delivered', kind, 'delivered'], name)
    if (kind === 'retryable') t.match(ends[1], { blame: 'event' })
    t.strictSame(sqs.calls.map(({ length }) => length), [3, 1, 1, 1])
  }
})

test('an answer about entries that nobody sent changes nothing', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await open(t, sqs)
  sqs.wholeCall = (response) => answer(response, 200, { Successful: [], Failed: [{ Id: '7', Code: 'InternalError', SenderFault: false }, { Id: 'length', Code: 'X', SenderFault: true }] })
  t.match(await deliver(sink, outgoing('a')), [{ kind: 'retryable', blame: 'unknown' }])
  t.equal((await deliver(sink, outgoing('a'))).length, 1)
})

test('what SQS can never take is refused here, and not sent', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await open(t, sqs)
  for (const [what, payload] of [['no UTF-8', Buffer.from([0x7b, 0xff])], ['a control character', Buffer.from('{"a":"\u0001"}')], ['U+FFFE', Buffer.from('"\ufffe"')], ['1 MiB', Buffer.alloc(1_048_576, 'x')]] as const) {
    t.match(await deliver(sink, outgoing('a', {}, { payload })), [{ kind: 'refused' }], what)
  }
  t.equal(sqs.calls.length, 0)
  t.strictSame(await deliver(sink, outgoing('a', {}, { payload: Buffer.from('"\ufffd \u007f \u{10ffff} 🧾 \t"') })), [DELIVERED])
})

test('attributes count: a call that is too large with them becomes two', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await open(t, sqs)
  const half = Buffer.alloc(524_288 - 50, 'x')
  t.strictSame(await deliver(sink, outgoing('a', {}, { payload: half }), outgoing('b', {}, { payload: half })), [DELIVERED, DELIVERED])
  t.strictSame(sqs.calls.map(({ length }) => length), [1, 1])
  t.strictSame(await deliver(sink, ...Array.from({ length: 12 }, (_, n) => outgoing(`lane-${n}`))), Array.from({ length: 12 }, () => DELIVERED))
  t.strictSame(sqs.calls.slice(2).map(({ length }) => length), [10, 2])
})

test('a type that cannot be an attribute is left out of them', async (t) => {
  const sqs = await scriptedSqs(t)
  const sink = await open(t, sqs)
  for (const type of ['', 'a\u0000b', 'x'.repeat(300)]) {
    t.strictSame(await deliver(sink, outgoing('a', {}, { type })), [DELIVERED])
    t.strictSame(Object.keys(sqs.calls.at(-1)?.[0]?.MessageAttributes ?? {}), ['content-type', 'ce_id'])
  }
})

test('what is sent again when SQS may have forgotten its id is counted', async (t) => {
  const sqs = await scriptedSqs(t)
  const late: number[] = []
  const sink = await open(t, sqs, late)
  await deliver(sink, outgoing('a'), outgoing('b', {}, { firstFailedMs: 294_999, attempt: 2 }))
  t.strictSame(late, [], 'not yet')
  await deliver(sink, outgoing('a', {}, { firstFailedMs: 295_001, attempt: 3 }), outgoing('b'), outgoing('c', {}, { firstFailedMs: 86_400_000, attempt: 9 }))
  t.strictSame(late, [2], 'the call that failed first may have taken its 5 s')
  await deliver(sink, outgoing('a', {}, { firstFailedMs: 900_000, attempt: 2, payload: Buffer.from([0xff]) }))
  await sink.close()
  await deliver(sink, outgoing('a', {}, { firstFailedMs: 900_000, attempt: 2 }))
  t.strictSame(late, [2], 'what was not sent is not counted')
})

function says(status: number, name: string, olderName?: string): (sqs: ScriptedSqs) => void {
  return (sqs) => { sqs.wholeCall = (response) => fault(response, status, name, olderName) }
}
