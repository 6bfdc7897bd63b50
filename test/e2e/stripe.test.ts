import { mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stripe } from 'stripe'
import { test } from 'tap'
import { countByIntent, startChargeService, type Charge } from '../support/charge-service.ts'
import { NO_FAULTS, startFlakyRelay, type Fault, type RelayOptions } from '../support/flaky-relay.ts'
import { SidecarProcess } from '../support/sidecar-process.ts'

/*
 * The Stripe SDK as it is: it makes its own key for every POST and retries by itself, after a broken connection, a
 * 409 and a 5xx, with the same key and body. Between it and the sidecar is a network that breaks a quarter of
 * the requests; behind the sidecar a service that charges for every POST it reads.
 */

const INTENTS = 100

/** The SDK waits 0.5 s twice, then up to 1, 2, 4, 5 s; four tries in a row are broken in every third run. */
const RETRIES = 12

/**
 * Replies are cut within their head. The SDK (23.1) does not retry a reply that breaks off in its body: it throws a
 * StripeConnectionError, and asking again is the caller's business, with a key of the caller's own.
 */
const WITHIN_HEAD = [1, 60] as const
const ODDS = { 'request-lost': 0.06, 'hang-up': 0.06, 'reply-lost': 0.06, 'reply-cut': 0.06 }

interface Run {
  readonly charged: readonly Charge[]
  readonly ledger: readonly Charge[]
  readonly broken: Readonly<Record<Fault, number>>
}

test('the Stripe SDK through the sidecar under resets: one charge per intent', async (t) => {
  const service = await startChargeService()
  t.teardown(() => service.close())
  const sidecar = await startSidecar(service.origin)
  t.teardown(() => sidecar.remove())

  const { charged, ledger, broken } = await buyAll({ toPort: sidecar.process.port, seed: 1, odds: ODDS, cutAt: WITHIN_HEAD }, service.ledger)

  const counts = countByIntent(ledger)
  t.equal(counts.size, INTENTS, 'every intent was charged')
  t.same([...counts].filter(([, count]) => count !== 1), [], 'and none of them twice')
  t.same(charged.map(bought), ledger.toSorted(byIntent).map(bought), 'what the SDK was told is what was charged')
  for (const [fault, count] of Object.entries(broken)) t.ok(count > 0, `${fault} happened (${count} times)`)
  const outcomes = await sidecar.process.keyOutcomes()
  t.ok((outcomes.get('replay') ?? 0) > 0, `replies were replayed (${outcomes.get('replay')} times)`)
  t.equal(outcomes.get('uncertain'), 0, 'and nothing came into doubt')
  t.equal(await sidecar.process.stop(), 0, 'the sidecar drained')
})

test('the same without the sidecar charges some intents more than once', async (t) => {
  const service = await startChargeService()
  t.teardown(() => service.close())

  const { ledger } = await buyAll({ toPort: service.port, seed: 1, odds: ODDS, cutAt: WITHIN_HEAD }, service.ledger)

  const twice = [...countByIntent(ledger)].filter(([, count]) => count > 1)
  t.ok(twice.length > 0, `${twice.length} of ${INTENTS} intents were charged more than once`)
  t.ok(ledger.length > INTENTS, `${ledger.length} charges for ${INTENTS} intents`)
})

test('a caller that asks again with its own key after half a reply is given the whole one', async (t) => {
  const service = await startChargeService()
  t.teardown(() => service.close())
  const sidecar = await startSidecar(service.origin)
  t.teardown(() => sidecar.remove())
  const relay = await startFlakyRelay({ toPort: sidecar.process.port, seed: 1, odds: { ...NO_FAULTS, 'reply-cut': 1 }, cutAt: [1000, 1000] })
  t.teardown(() => relay.close())

  const order = { amount: 500, currency: 'eur', metadata: { intent: 'a long list of shoes '.repeat(100) } }
  const options = { idempotencyKey: 'order-1', maxNetworkRetries: 5 }
  const failure: unknown = await connectStripe(relay.port).charges.create(order, options).catch((error: unknown) => error)
  t.ok(failure instanceof Stripe.errors.StripeConnectionError, 'the SDK throws')
  t.equal(relay.broken['reply-cut'], 1, 'because the reply broke off in its body, and it did not ask again')
  const charge = await connectStripe(sidecar.process.port).charges.create(order, options)

  t.equal(charge.id, service.ledger[0]?.id)
  t.equal(charge.lastResponse.headers['idempotent-replayed'], 'true')
  t.equal(service.ledger.length, 1, 'one charge')
})

/** All intents at once, each by one call of the SDK; rejects if a single one fails. */
async function buyAll(network: RelayOptions, ledger: readonly Charge[]): Promise<Run> {
  const relay = await startFlakyRelay(network)
  try {
    const stripe = connectStripe(relay.port)
    const intents = Array.from({ length: INTENTS }, (_, i) => i)
    const charges = await Promise.all(intents.map((i) => stripe.charges.create({ amount: 100 + i, currency: 'eur', source: 'tok_visa', metadata: { intent: String(i) } })))
    const charged = charges.map(({ id, amount, currency, metadata }): Charge => ({ id, object: 'charge', amount, currency, metadata: { intent: metadata['intent'] ?? '' } }))
    return { charged, ledger, broken: relay.broken }
  } finally {
    await relay.close()
  }
}

function connectStripe(port: number): Stripe {
  return new Stripe('sk_test_onceward', {
    host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: RETRIES, telemetry: false,
    httpClient: Stripe.createNodeHttpClient(new Agent({ keepAlive: true, maxSockets: 32 })),
  })
}

/** As a user starts it: --upstream and nothing else that decides anything. */
async function startSidecar(upstream: string): Promise<{ readonly process: SidecarProcess, remove(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'onceward-stripe-'))
  const process = new SidecarProcess({ upstream, dataDir })
  await process.start()
  return {
    process,
    remove: async () => {
      await process.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

function bought({ id, amount, metadata: { intent } }: Charge): string {
  return `${intent}: ${id}, ${amount}`
}

function byIntent(a: Charge, b: Charge): number {
  return Number(a.metadata.intent) - Number(b.metadata.intent)
}
