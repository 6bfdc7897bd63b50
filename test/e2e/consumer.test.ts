import { test, type Test } from 'tap'
import { startForgetfulNetwork } from '../support/forgetful-network.ts'
import { standardHeaders, STRIPE_SECRET, stripeHeaders, WEBHOOK_SECRET } from '../support/sign-webhooks.ts'
import { startForTest, type Received, type Running } from '../support/start-sidecar.ts'
import { startWebhookReceiver, type Arrived, type Does, type WebhookReceiver } from '../support/webhook-receiver.ts'
import { chargeService } from './relay-service.ts'

/* Two sidecars in this process, each on a store of its own: one whose relay sends webhooks, one in front of their receiver. */

const SIGNED = `consumer: { standard_webhooks: { secrets: ["${WEBHOOK_SECRET}"] } }`
const FOREIGN = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

interface Scene {
  readonly receiver: WebhookReceiver
  readonly consumer: Running
  readonly post: (headers: readonly string[], body: string) => Promise<Received>
}

/** `more` is what the route says; `does` is 200 for everything unless it is given. */
async function scene(t: Test, more: string, does: (delivery: Arrived) => Does = () => 200): Promise<Scene> {
  const receiver = await startWebhookReceiver(t, does)
  const consumer = await startForTest(t, receiver.origin, { yaml: `routes:\n  - name: hooks\n    match: { method: POST, path: /hooks/a }\n    ${more}\n` })
  return { receiver, consumer, post: (headers, body) => consumer.post(null, { path: '/hooks/a', headers, body }) }
}

test('the relay\'s own webhooks over a network that doubles and forgets: each event is handled once', async (t) => {
  const EVENTS = 30
  const { receiver, consumer } = await scene(t, SIGNED)
  const network = await startForgetfulNetwork(t, consumer.address, 3)
  const sender = await startForTest(t, await chargeService(t), { yaml: `
routes:
  - name: charge
    match: { method: POST, path: /v1/charges }
    idempotency: { key: required, scope: none }
    outbox: { on: 2xx, sink: hook, type: charge.created, lane: "{key}", data: { charge: "{key}" } }
sinks:
  hook: { webhook: { url: "${network.origin}/hooks/a", secrets: ["${WEBHOOK_SECRET}"], allow: [127.0.0.0/8] }, base: 5ms, cap: 20ms }
` })
  for (let i = 0; i < EVENTS; i += 1) t.equal((await sender.post(`charge-${i}`)).status, 201)
  const delivered = 'onceward_deliveries_total{sink="hook",outcome="delivered"}'
  for (let i = 0; i < 1000 && await sender.metric(delivered) < EVENTS; i += 1) await new Promise((resolve) => { setTimeout(resolve, 20) })
  t.equal(await sender.metric(delivered), EVENTS, 'the sender knows of all of them that they arrived')
  t.strictSame([...network.deliveries.values()], Array.from({ length: EVENTS }, () => 4), 'after it had sent each of them four times')
  t.ok(await consumer.metric('idempotency_key_total{outcome="replay",route="hooks"}') >= 3 * EVENTS)
  t.equal(receiver.arrived.length, EVENTS, 'nothing reached the receiver twice')
  t.strictSame(new Set(receiver.handled.map(({ headers }) => headers['webhook-id'])), new Set(network.deliveries.keys()))
  t.notMatch(consumer.log() + sender.log(), WEBHOOK_SECRET.slice(6))
})

test('an event that comes again, signed anew, is answered as the first time', async (t) => {
  const { receiver, post } = await scene(t, SIGNED)
  const first = await post(standardHeaders('msg_1', '{}', { secondsAgo: 120 }), '{}')
  const second = await post(standardHeaders('msg_1', '{}'), '{}')
  t.match([first, second], [{ status: 200, body: '1' }, { status: 200, body: '1' }])
  t.equal(second.headers['idempotent-replayed'], 'true')
  t.equal(receiver.arrived.length, 1)
  t.ok(Number(second.headers['idempotency-ttl']) > 13 * 86_400, 'for two weeks')
})

test('forged deliveries, before and after and at the same time, change nothing where a secret is known', async (t) => {
  const { receiver, consumer, post } = await scene(t, SIGNED)
  const forged = async (): Promise<void> => {
    for (const [headers, body] of [
      [standardHeaders('msg_1', '{"amount":1}', { secret: FOREIGN }), '{"amount":1}'],
      [standardHeaders('msg_1', '{"amount":1}'), '{"amount":999}'],
      [standardHeaders('msg_1', '{"amount":1}', { secondsAgo: 301 }), '{"amount":1}'],
      [standardHeaders('msg_1', '{"amount":1}').slice(0, -2), '{"amount":1}'],
    ] as const) {
      const answer = await post(headers, body)
      t.match(answer, { status: 401, problem: 'signature-invalid', headers: { 'www-authenticate': 'Webhook-Signature' }, body: /"may_have_run":false,"safe_to_retry":false/ })
      t.notOk(answer.headers['idempotent-replayed'])
    }
  }
  await forged()
  t.equal(receiver.arrived.length, 0)
  const genuine = (): Promise<Received> => post(standardHeaders('msg_1', '{"amount":1}'), '{"amount":1}')
  const [answer] = await Promise.all([genuine(), forged()])
  t.match(answer, { status: 200, body: '1' })
  await forged()
  t.match(await genuine(), { status: 200, body: '1', headers: { 'idempotent-replayed': 'true' } })
  t.strictSame(receiver.arrived.map(({ body }) => body), ['{"amount":1}'])
  t.equal(await consumer.metric('idempotency_key_total{outcome="invalid",route="hooks"}'), 12)
})

for (const refusal of [301, 400, 401, 404, 409, 410, 422, 429, 500, 501, 502, 503, 504, 522] as const) {
  test(`without a secret, a forgery that the receiver answers ${refusal} does not keep the genuine event out`, async (t) => {
    const { receiver, post, consumer } = await scene(t, 'consumer: standard-webhooks\n    idempotency: { scope: route }', ({ body }) => (body === 'forged' ? refusal : 200))
    const headers = ['webhook-id', 'msg_1']
    t.match(await post([], 'forged'), { status: 400, problem: 'key-missing' })
    t.equal((await post(headers, 'forged')).status, refusal, 'the sender hears of it')
    t.match(await post(headers, 'genuine'), { status: 200, body: '1' })
    t.match(await post(headers, 'genuine'), { status: 200, body: '1', headers: { 'idempotent-replayed': 'true' } })
    t.match(await post(headers, 'forged'), { status: 422, problem: 'key-reused' }, 'what comes after it runs nothing')
    t.equal(receiver.handled.length, 1)
    t.equal(receiver.arrived.length, 2, 'and each was sent once')
    t.equal(await consumer.metric('idempotency_key_total{outcome="uncertain",route="hooks"}'), 0)
  })
}

test('a receiver that does not manage is asked again by the sender, and handles the event once', async (t) => {
  let tries = 0
  const { receiver, post } = await scene(t, SIGNED, () => [500, 302, 404, 503, 204][tries++] ?? 200)
  for (const status of [500, 302, 404]) t.equal((await post(standardHeaders('msg_1', '{}'), '{}')).status, status)
  t.equal(receiver.arrived.length, 3, 'one try for each delivery')
  t.match(await post(standardHeaders('msg_1', '{}'), '{}'), { status: 503, problem: null }, 'it says so itself')
  t.match(await post(standardHeaders('msg_1', '{}'), '{}'), { status: 504, problem: 'outcome-unknown' }, 'a gateway may have said that of a receiver that acted')
  t.equal(receiver.arrived.length, 4)
})

test('a broken connection is a doubt, and stays one', async (t) => {
  const { receiver, post } = await scene(t, SIGNED, () => 'breaks')
  for (let i = 0; i < 2; i += 1) t.match(await post(standardHeaders('msg_1', '{}'), '{}'), { status: 504, problem: 'outcome-unknown' })
  t.equal(receiver.arrived.length, 1)
})

test('what is not signed decides nothing: a recorded delivery with a key or a retention of its own runs nothing', async (t) => {
  const { receiver, post } = await scene(t, SIGNED)
  const recorded = standardHeaders('msg_1', '{}')
  t.equal((await post([...recorded, 'idempotency-ttl', '60'], '{}')).status, 200)
  const again = await post([...recorded, 'idempotency-key', 'another'], '{}')
  t.equal(again.headers['idempotent-replayed'], 'true')
  t.ok(Number(again.headers['idempotency-ttl']) > 13 * 86_400)
  t.equal(receiver.arrived.length, 1)
  t.match(await post(standardHeaders('msg_1', '{"x":1}'), '{"x":1}'), { status: 422, problem: 'key-reused' }, 'a sender that contradicts itself')
})

test('an event of Stripe is handled once, whatever it counts in its deliveries', async (t) => {
  const { receiver, post } = await scene(t, `consumer: { stripe: { secrets: ["${STRIPE_SECRET}"] } }`)
  const event = (waiting: number): string => `{"id":"evt_1","object":"event","pending_webhooks":${waiting},"type":"charge.succeeded"}`
  t.match(await post(stripeHeaders(event(2), { secret: 'whsec_somebodyelsessecret' }), event(2)), { status: 401, problem: 'signature-invalid' })
  t.match(await post(stripeHeaders(event(2)), event(2)), { status: 200, body: '1' })
  t.match(await post(stripeHeaders(event(1)), event(1)), { status: 200, headers: { 'idempotent-replayed': 'true' } })
  t.match(await post(stripeHeaders('{"object":"event"}'), '{"object":"event"}'), { status: 400, problem: 'key-missing' })
  t.equal(receiver.arrived.length, 1)
})

test('a CloudEvent has one key in both of its modes', async (t) => {
  const { receiver, post } = await scene(t, 'consumer: cloudevents\n    idempotency: { scope: route }')
  const binary = ['content-type', 'application/json', 'ce-specversion', '1.0', 'ce-type', 'a', 'ce-source', '/caf%C3%A9', 'ce-id', '7']
  const structured = ['content-type', 'application/cloudevents+json; charset=utf-8']
  const body = '{"specversion":"1.0","type":"a","source":"/café","id":"7","data":{}}'
  t.equal((await post(structured, body)).status, 200)
  t.equal((await post(structured, body)).headers['idempotent-replayed'], 'true')
  t.match(await post(binary, '{}'), { status: 422, problem: 'key-reused' })
  t.equal((await post(binary.with(-1, '8'), '{}')).status, 200)
  t.equal((await post(binary.with(-1, '8'), '{}')).headers['idempotent-replayed'], 'true')
  t.match(await post(['content-type', 'application/cloudevents-batch+json'], `[${body}]`), { status: 400, problem: 'key-invalid' })
  t.match(await post(structured, '{"source":"/a","id":7}'), { status: 400, problem: 'key-invalid' })
  t.equal(receiver.arrived.length, 2)
})

test('the ids of one sender are no ids of another one', async (t) => {
  const receiver = await startWebhookReceiver(t, () => 200)
  const route = (name: string, secret: string): string => `  - { name: ${name}, match: { method: POST, path: /hooks/${name} }, consumer: { standard_webhooks: { secrets: ["${secret}"] } } }\n`
  const consumer = await startForTest(t, receiver.origin, { yaml: `routes:\n${route('a', WEBHOOK_SECRET)}${route('b', FOREIGN)}` })
  for (const [name, secret] of [['a', WEBHOOK_SECRET], ['b', FOREIGN]] as const) {
    t.equal((await consumer.post(null, { path: `/hooks/${name}`, headers: standardHeaders('1', '{}', { secret }), body: '{}' })).status, 200)
  }
  t.match(await consumer.post(null, { path: '/hooks/b', headers: standardHeaders('1', '{}'), body: '{}' }), { status: 401 }, 'a secret proves its own sender only')
  t.equal(receiver.handled.length, 2)
})

test('a secret is changed by a reload, without a moment in which neither is known', async (t) => {
  const { receiver, consumer, post } = await scene(t, SIGNED)
  const yaml = (secrets: string): string => `routes:\n  - name: hooks\n    match: { method: POST, path: /hooks/a }\n    consumer: { standard_webhooks: { secrets: [${secrets}] } }\n`
  t.equal((await post(standardHeaders('msg_1', '{}'), '{}')).status, 200)
  await consumer.reconfigure(yaml(`"${FOREIGN}", "${WEBHOOK_SECRET}"`))
  for (const secret of [FOREIGN, WEBHOOK_SECRET]) t.equal((await post(standardHeaders('msg_1', '{}', { secret }), '{}')).headers['idempotent-replayed'], 'true')
  await consumer.reconfigure(yaml(`"${FOREIGN}"`))
  t.equal((await post(standardHeaders('msg_1', '{}'), '{}')).status, 401)
  t.equal(receiver.arrived.length, 1)
})
