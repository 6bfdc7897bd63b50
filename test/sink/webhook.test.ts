import { getEventListeners } from 'node:events'
import { Webhook } from 'standardwebhooks'
import { test } from 'tap'
import { systemClock } from '../../src/host/clock.ts'
import { openWebhookSink } from '../../src/sink/webhook.ts'
import { outgoing } from '../contract/sink-situation.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startReceiver } from './webhook-receiver.ts'
import { deliverOne, LOOPBACK, SECRET, webhookTo } from './webhook-situation.ts'

test('a delivery is a POST of the event as a CloudEvent, and the library of Standard Webhooks verifies it', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url)
  const event = outgoing('customer-7', { text: 'Grüße' })
  t.strictSame(await deliverOne(sink, event), { kind: 'delivered' })
  const [request] = receiver.received
  t.match(request, { method: 'POST', target: '/hooks?to=us', headers: { 'content-type': 'application/cloudevents+json', 'webhook-id': event.id, 'user-agent': 'Onceward', 'content-length': String(event.payload.length) } })
  t.match(verifier(SECRET).verify(request?.body ?? '', fields(request?.headers)), { id: event.id, partitionkey: 'customer-7', data: { text: 'Grüße' } })
  t.throws(() => verifier(Buffer.alloc(32, 8)).verify(request?.body ?? '', fields(request?.headers)), { message: 'No matching signature found' }, 'and under another secret it does not')
  t.throws(() => verifier(SECRET).verify(`${String(request?.body)} `, fields(request?.headers)), { message: 'No matching signature found' }, 'nor another body')
})

test('while secrets change over, receivers with the old one and with the new one verify the same delivery', async (t) => {
  const [older, newer] = [Buffer.alloc(24, 1), Buffer.alloc(64, 2)]
  const receiver = await startReceiver(t)
  await deliverOne(webhookTo(t, receiver.url, { secrets: [newer, older] }), outgoing('a'))
  const [request] = receiver.received
  t.match(request?.headers['webhook-signature'], /^v1,[A-Za-z0-9+/]{43}= v1,[A-Za-z0-9+/]{43}=$/)
  for (const secret of [older, newer]) {
    t.match(verifier(secret).verify(request?.body ?? '', fields(request?.headers)), { specversion: '1.0' })
  }
})

test('without secrets nothing is signed, and the rest is there', async (t) => {
  const receiver = await startReceiver(t)
  const event = outgoing('a')
  await deliverOne(webhookTo(t, receiver.url, { secrets: [] }), event)
  t.notOk('webhook-signature' in (receiver.received[0]?.headers ?? {}))
  t.match(receiver.received[0]?.headers, { 'webhook-id': event.id, 'webhook-timestamp': /^\d+$/ })
})

test('a repeated delivery has its own time and signature, and the same id', async (t) => {
  const receiver = await startReceiver(t)
  const clock = new FakeClock(1_772_366_400_999)
  const sink = webhookTo(t, receiver.url, {}, { clock })
  const event = outgoing('a')
  await deliverOne(sink, event)
  await clock.advance(60_000)
  await deliverOne(sink, { ...event, attempt: 2 })
  const [first, second] = receiver.received.map(({ headers }) => headers)
  t.equal(first?.['webhook-timestamp'], '1772366400', 'whole seconds')
  t.equal(second?.['webhook-timestamp'], '1772366460')
  t.equal(first?.['webhook-id'], second?.['webhook-id'])
  t.not(first?.['webhook-signature'], second?.['webhook-signature'])
})

test('no text of an event becomes a field of the request', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url, { headers: [['x-api-key', 'token']] })
  await deliverOne(sink, outgoing('a\r\nx-lane: 1', {}, { type: 'x\r\nx-type: 1' }))
  t.strictSame(receiver.received[0]?.rawHeaders.filter((_, n) => n % 2 === 0).map((name) => name.toLowerCase()),
    ['host', 'connection', 'content-type', 'user-agent', 'x-api-key', 'webhook-id', 'webhook-timestamp', 'webhook-signature', 'content-length'])
})

test('an id that could not be a field, or would make what is signed ambiguous, is refused', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url)
  for (const id of ['evt_1\r\nx: 1', 'evt_1.2', '', 'évt', 'a b', 'x'.repeat(256)]) t.match(await deliverOne(sink, outgoing('a', {}, { id })), { kind: 'refused' }, JSON.stringify(id))
  t.equal(receiver.received.length, 0)
})

test('configured fields are sent; a credential of the URL is, and goes nowhere else', async (t) => {
  const receiver = await startReceiver(t)
  const url = new URL(receiver.url)
  url.username = 'po ster'
  url.password = 'p:ss'
  await deliverOne(webhookTo(t, url, { headers: [['X-Api-Key', 'token'], ['User-Agent', 'shop']] }), outgoing('a'))
  t.match(receiver.received[0]?.headers, { 'x-api-key': 'token', 'user-agent': 'shop', authorization: `Basic ${Buffer.from('po ster:p:ss').toString('base64')}`, host: `127.0.0.1:${receiver.port}` })
  await deliverOne(webhookTo(t, url, { headers: [['Authorization', 'Bearer x']] }), outgoing('a'))
  t.equal(receiver.received[1]?.headers.authorization, 'Bearer x', 'what is configured expressly counts')
})

test('settings that no request can be made of are refused at the start, without their values', async (t) => {
  const open = (url: string, headers: [string, string][]): void => void openWebhookSink('hook', { kind: 'webhook', url: new URL(url), secrets: [], timeoutMs: 1000, allow: [], headers }, { clock: systemClock() })
  for (const field of ['Content-Type', 'webhook-id', 'Webhook-Signature', 'content-length', 'Transfer-Encoding', 'host', 'Connection', 'Expect']) {
    t.throws(() => open('https://shop.example/', [[field, 'value-1']]), { message: `sinks.hook.webhook.headers: ${field} is not for the configuration to set` })
  }
  t.throws(() => open('https://shop.example/', [['a b', 'value-1']]), { message: /no field of HTTP/ })
  t.throws(() => open('https://shop.example/', [['a', 'value-1\r\nb: c']]), { message: /^(?!.*value-1).*no field of HTTP/ })
  t.throws(() => open('ftp://shop.example/', []), { message: 'sinks.hook.webhook.url: needed: http or https' })
})

const STATUSES: readonly [readonly number[], object][] = [
  [[200, 201, 202, 204, 206, 299], { kind: 'delivered' }],
  [[410], { kind: 'disabled', reason: 'the receiver answered 410' }],
  [[429, 503], { kind: 'retryable', blame: 'sink', notBeforeMs: null }],
  [[408, 425, 500, 501, 502, 504, 520, 599, 600, 999], { kind: 'retryable', blame: 'unknown', notBeforeMs: null }],
  [[400, 401, 403, 404, 405, 409, 411, 413, 415, 418, 422, 451, 499], { kind: 'retryable', blame: 'event', notBeforeMs: null }],
  [[300, 301, 302, 303, 304, 305, 307, 308], { kind: 'retryable', blame: 'event', notBeforeMs: null }],
]

test('what a status says', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url)
  let sent = 0
  for (const [statuses, expected] of STATUSES) {
    for (const status of statuses) {
      receiver.answer = (response) => void response.writeHead(status).end(status === 204 || status === 304 ? '' : 'Sorry: secret-of-the-body')
      const delivery = await deliverOne(sink, outgoing('a'))
      t.match(delivery, expected, String(status))
      if (delivery.kind === 'retryable') t.match(delivery.cause, new RegExp(`answered ${status}`))
      t.notMatch(JSON.stringify(delivery), /Sorry/, 'nothing of a body')
      sent += 1
    }
  }
  t.equal(receiver.received.length, sent, 'each was asked once')
})

test('a redirect is not followed, wherever it leads', async (t) => {
  const elsewhere = await startReceiver(t)
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url)
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = (response) => void response.writeHead(status, { location: String(elsewhere.url) }).end()
    t.match(await deliverOne(sink, outgoing('a')), { kind: 'retryable', blame: 'event', cause: `the receiver answered ${status}, and redirects are not followed` })
  }
  t.equal(elsewhere.received.length, 0)
})

test('Retry-After is observed in all its forms, and within bounds', async (t) => {
  const receiver = await startReceiver(t)
  const now = Date.parse('2026-03-01T12:00:00Z')
  const sink = webhookTo(t, receiver.url, {}, { clock: new FakeClock(now) })
  for (const [value, notBeforeMs] of [['5', 5000], ['0', 0], ['Sun, 01 Mar 2026 12:00:10 GMT', 10_000], ['Sunday, 01-Mar-26 12:00:10 GMT', 10_000], ['Sun Mar  1 12:00:10 2026', 10_000], ['Sun, 01 Mar 2026 11:00:00 GMT', 0], ['999999999999', 3_600_000], ['Fri, 01 Mar 2126 12:00:00 GMT', 3_600_000], ['soon', null], ['-5', null]] as const) {
    for (const status of [429, 503]) {
      receiver.answer = (response) => void response.writeHead(status, { 'retry-after': value }).end()
      t.strictSame(await deliverOne(sink, outgoing('a')), { kind: 'retryable', cause: `the receiver answered ${status}`, blame: 'sink', notBeforeMs }, `${status}, ${value}`)
    }
  }
})

test('a body that never ends, or only in small bits, holds a delivery for its time and changes nothing', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url, { timeoutMs: 300 })
  for (const [status, kind] of [[200, 'delivered'], [503, 'retryable'], [410, 'disabled']] as const) {
    receiver.answer = (response) => {
      response.writeHead(status).write('a')
      const drip = setInterval(() => response.write('b'), 20)
      response.on('close', () => clearInterval(drip))
    }
    const startedAt = performance.now()
    t.match(await deliverOne(sink, outgoing('a')), { kind }, String(status))
    t.ok(performance.now() - startedAt < 3000)
  }
})

test('a body without end is read so far, and its connection is cut', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url)
  let written = 0
  const cut = new Promise<void>((resolve) => {
    receiver.answer = (response) => {
      const more = (): void => {
        for (let room = true; room && !response.destroyed;) {
          room = response.write(Buffer.alloc(65_536))
          written += 65_536
        }
      }
      response.writeHead(200).on('drain', more).on('close', resolve)
      more()
    }
  })
  t.strictSame(await deliverOne(sink, outgoing('a')), { kind: 'delivered' })
  await cut
  t.ok(written < 20_000_000, `${written} bytes`)
})

test('a proxy that the environment names is not asked', async (t) => {
  const [receiver, proxy] = [await startReceiver(t), await startReceiver(t)]
  const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']
  const before = names.map((name) => [name, process.env[name]] as const)
  for (const name of names) process.env[name] = name.endsWith('PROXY') || name.endsWith('proxy') ? String(new URL('/', proxy.url)) : '1'
  t.teardown(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  t.match(await deliverOne(webhookTo(t, receiver.url), outgoing('a')), { kind: 'delivered' })
  t.equal(proxy.received.length, 0)
})

test('connections serve delivery after delivery, and as many are opened as are needed at a time', async (t) => {
  const receiver = await startReceiver(t)
  const sink = webhookTo(t, receiver.url)
  for (let n = 0; n < 20; n += 1) await deliverOne(sink, outgoing('a'))
  t.ok(receiver.connections() <= 2, 'one is busy a moment longer than its delivery')
  await Promise.all(Array.from({ length: 20 }, () => deliverOne(sink, outgoing('a'))))
  t.ok(receiver.connections() >= 20 && receiver.connections() <= 22)
})

test('hundreds of deliveries under one signal are no leak, and end with it', async (t) => {
  const receiver = await startReceiver(t, () => undefined)
  const sink = webhookTo(t, receiver.url)
  const warnings: string[] = []
  const note = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const stop = new AbortController()
  const ends = Array.from({ length: 300 }, () => deliverOne(sink, outgoing('a'), stop.signal))
  await receiver.arrived(sink.atOnce)
  stop.abort()
  for (const end of await Promise.all(ends)) t.match(end, { kind: 'retryable', blame: 'unknown' })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(warnings, [])
  t.strictSame(getEventListeners(stop.signal, 'abort'), [])
  receiver.answer = (response) => void response.writeHead(204).end()
  t.match(await deliverOne(sink, outgoing('a')), { kind: 'delivered' }, 'and the sink goes on')
})

test('without allow the loopback interface is inside', async (t) => {
  const receiver = await startReceiver(t)
  t.match(await deliverOne(webhookTo(t, receiver.url, { allow: [] }), outgoing('a')), { kind: 'retryable', blame: 'sink', cause: /leads inside, to 127\.0\.0\.1/ })
  t.match(await deliverOne(webhookTo(t, receiver.url, { allow: [LOOPBACK] }), outgoing('a')), { kind: 'delivered' })
  t.equal(receiver.received.length, 1)
})

/** A secret as people write it down, in the library that receivers use. */
function verifier(secret: Buffer): Webhook {
  return new Webhook(`whsec_${secret.toString('base64')}`)
}

/** The fields of a request as a framework hands them to the library. */
function fields(headers: object = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
