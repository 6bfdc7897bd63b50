import { test } from 'tap'
import { outgoing } from '../contract/sink-situation.ts'
import { RawUpstream, type Played } from '../support/raw-upstream.ts'
import { startReceiver } from './webhook-receiver.ts'
import { deliverOne, webhookTo } from './webhook-situation.ts'

/*
 * What becomes of a delivery when the receiver's connection misbehaves. What counts is how far its answer came: the status
 * line and its fields are the answer, whatever happens to the body.
 */

const OK = 'HTTP/1.1 204 No Content\r\n\r\n'
const UNKNOWN = { kind: 'retryable', blame: 'unknown', notBeforeMs: null }
const DELIVERED = { kind: 'delivered' }

const SITUATIONS: readonly [string, Played, object][] = [
  ['a reset after the request was read', { bytes: '', then: 'reset' }, UNKNOWN],
  ['a close without an answer', { bytes: '', then: 'close' }, UNKNOWN],
  ['silence', { bytes: '', then: 'wait' }, { ...UNKNOWN, cause: 'no answer within 400 ms' }],
  ['half a head and silence', { bytes: 'HTTP/1.1 200 OK\r\nContent-', then: 'wait' }, UNKNOWN],
  ['half a head and a reset', { bytes: 'HTTP/1.1 200 OK\r\nContent-', then: 'reset' }, UNKNOWN],
  ['half a head and a close', { bytes: 'HTTP/1.1 200 OK\r\nContent-Le', then: 'close' }, UNKNOWN],
  ['half a body and a reset', { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', then: 'reset' }, DELIVERED],
  ['half a body and a close', { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', then: 'close' }, DELIVERED],
  ['half a chunk and a close', { bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf', then: 'close' }, DELIVERED],
  ['half a body of a refusal and a reset', { bytes: 'HTTP/1.1 422 No\r\nContent-Length: 10\r\n\r\nhalf', then: 'reset' }, { kind: 'retryable', blame: 'event' }],
  ['a body that never ends', { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', then: 'wait' }, DELIVERED],
  ['a body that ends with the connection', { bytes: 'HTTP/1.1 200 OK\r\n\r\nall', then: 'close' }, DELIVERED],
  ['HTTP/1.0', { bytes: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', then: 'close' }, DELIVERED],
  ['a 204 with a length', { bytes: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', then: 'wait' }, DELIVERED],
  ['something that is not HTTP', { bytes: 'SSH-2.0-OpenSSH\r\n', then: 'close' }, UNKNOWN],
  ['a status of 000', { bytes: 'HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nok', then: 'wait' }, UNKNOWN],
  ['a status of 099', { bytes: 'HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok', then: 'wait' }, UNKNOWN],
  ['two lengths that differ', { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk', then: 'wait' }, UNKNOWN],
  ['fields without end', { bytes: `HTTP/1.1 200 OK\r\n${'X-More: and more\r\n'.repeat(2000)}`, then: 'wait' }, UNKNOWN],
  ['a switch of protocols that nobody asked for', { bytes: 'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', then: 'wait' }, UNKNOWN],
  ['early hints before the answer', { bytes: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`, then: 'wait' }, DELIVERED],
  ['early hints and a close', { bytes: 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', then: 'close' }, { ...UNKNOWN, cause: /^the connection ended before an answer/ }],
  ['a 100 that nobody asked for, before the answer', { bytes: `HTTP/1.1 100 Continue\r\n\r\n${OK}`, then: 'wait' }, DELIVERED],
  ['ten of them, with fields', { bytes: `${'HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n'.repeat(10)}${OK}`, then: 'wait' }, DELIVERED],
  ['a 100 and nothing after it', { bytes: 'HTTP/1.1 100 Continue\r\n\r\n', then: 'wait' }, UNKNOWN],
  ['a 100 and a close', { bytes: 'HTTP/1.1 100 Continue\r\n\r\n', then: 'close' }, UNKNOWN],
]

for (const [what, played, expected] of SITUATIONS) {
  test(`${what}: known by how far the answer came, and the next delivery arrives`, async (t) => {
    const receiver = await RawUpstream.open(t)
    const sink = webhookTo(t, `${receiver.origin}/hook`, { timeoutMs: 400 })
    void receiver.start(played)
    t.match(await deliverOne(sink, outgoing('a')), expected)
    const event = outgoing('a')
    void receiver.start({ bytes: OK, then: 'wait' })
    t.match(await deliverOne(sink, event), DELIVERED)
    t.ok(receiver.received.includes(event.id))
  })
}

test('an answer for nobody does not become that of the next delivery', async (t) => {
  const receiver = await RawUpstream.open(t)
  const sink = webhookTo(t, `${receiver.origin}/hook`, { timeoutMs: 400 })
  void receiver.start({ bytes: `HTTP/1.1 204 No Content\r\n\r\n${OK}`, then: 'wait' })
  t.match(await deliverOne(sink, outgoing('a')), DELIVERED)
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  void receiver.start({ bytes: 'HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n', then: 'wait' })
  t.match(await deliverOne(sink, outgoing('a')), { kind: 'retryable', blame: 'event' })
})

test('a name that is not found, and one that nobody answers for, are the sink and not the event', async (t) => {
  for (const code of ['ENOTFOUND', 'EAI_AGAIN']) {
    const sink = webhookTo(t, 'http://hooks.example/', {}, { lookup: (_name, _options, callback) => callback(Object.assign(new Error('no'), { code }), []) })
    t.strictSame(await deliverOne(sink, outgoing('a')), { kind: 'retryable', blame: 'sink', cause: `the name of the receiver was not found (${code})`, notBeforeMs: null })
  }
  const silent = webhookTo(t, 'http://hooks.example/', { timeoutMs: 200 }, { lookup: () => undefined })
  t.strictSame(await deliverOne(silent, outgoing('a')), { kind: 'retryable', blame: 'sink', cause: 'no connection within 200 ms', notBeforeMs: null })
})

test('a delivery that was given up while it waited for its connection is not sent once there is one', async (t) => {
  const receiver = await startReceiver(t)
  let connect = (): void => undefined
  const sink = webhookTo(t, `http://hooks.example:${receiver.port}/`, {}, { lookup: (_name, _options, callback) => { connect = () => callback(null, [{ address: '127.0.0.1', family: 4 }]) } })
  const stop = new AbortController()
  const [first, second] = [outgoing('a'), outgoing('b')]
  const given = deliverOne(sink, first, stop.signal)
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  stop.abort()
  t.match(await given, UNKNOWN)
  connect()
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  const next = deliverOne(sink, second)
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  connect()
  t.match(await next, DELIVERED)
  t.strictSame(receiver.received.map(({ headers }) => headers['webhook-id']), [second.id])
})

test('a connection that comes after the lead is lost, before anything has told of it, is not used', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, `http://hooks.example:${receiver.port}/`, {}, { lookup: (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]) })
  const [first, second] = [outgoing('a'), outgoing('b')]
  let leads = false
  t.match(await sink.deliver([first], new AbortController().signal, () => leads), [UNKNOWN])
  leads = true
  t.match(await sink.deliver([second], new AbortController().signal, () => leads), [DELIVERED])
  t.strictSame(receiver.received.map(({ headers }) => headers['webhook-id']), [second.id])
})
