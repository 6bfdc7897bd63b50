import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { standardHeaders, STRIPE_SECRET, stripeHeaders, WEBHOOK_SECRET } from '../support/sign-webhooks.ts'
import { startForTest } from '../support/start-sidecar.ts'
import { startWebhookReceiver } from '../support/webhook-receiver.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/consumer.md'), 'utf8')
const EXAMPLES = [...PAGE.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')

/** What the sender of each example sends, anew for each delivery. */
const SENDERS: Readonly<Record<string, () => readonly [headers: readonly string[], body: string]>> = {
  payments: () => [standardHeaders('msg_1', '{"paid":true}'), '{"paid":true}'],
  stripe: () => [stripeHeaders('{"id":"evt_1"}'), '{"id":"evt_1"}'],
  orders: () => [['content-type', 'application/json', 'ce-source', '/shop', 'ce-id', '1', 'ce-time', new Date().toISOString()], '{"order":1}'],
  parcels: () => [['x-sent-at', String(performance.now())], '{"event":{"number":7}}'],
}

test('each example of docs/consumer.md does as it says: one event, three deliveries, handled once', async (t) => {
  const tried = new Set<string>()
  for (const example of EXAMPLES) {
    t.ok(example.split('\n').length <= 12, 'it is short')
    const receiver = await startWebhookReceiver(t, () => 200)
    const yaml = example.replaceAll('${WEBHOOK_SECRET}', WEBHOOK_SECRET).replaceAll('${STRIPE_SECRET}', STRIPE_SECRET)
    const consumer = await startForTest(t, receiver.origin, { yaml })
    for (const [, name = '', path = ''] of yaml.matchAll(/name: (\S+)\n.*path: (\S+) }/g)) {
      tried.add(name)
      for (let i = 0; i < 3; i += 1) {
        const [headers, body] = SENDERS[name]?.() ?? [[], '']
        t.match(await consumer.post(null, { path, headers, body }), { status: 200, headers: { 'idempotent-replayed': i === 0 ? undefined : 'true' } }, `${name}, delivery ${i + 1}`)
      }
      t.equal(receiver.arrived.filter((delivery) => delivery.path === path).length, 1, name)
      const [, body] = SENDERS[name]?.() ?? [[], '']
      if (yaml.includes('secrets')) t.match(await consumer.post(null, { path, headers: ['webhook-id', 'msg_2', 'content-type', 'application/json'], body }), { status: 401, problem: 'signature-invalid' }, 'without a signature')
    }
  }
  t.strictSame([...tried].toSorted(), Object.keys(SENDERS).toSorted())
})
