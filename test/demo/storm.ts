import { countByIntent, startChargeService, type Charge, type ChargeService } from '../support/charge-service.ts'
import { seededRandom, startFlakyRelay } from '../support/flaky-relay.ts'
import { pay, type Customer, type End, type Tally } from './customers.ts'

/** A bad network: one request in eight is broken somewhere between its first byte and its answer's last. */
const ODDS = { 'request-lost': 0.03, 'hang-up': 0.03, 'reply-lost': 0.04, 'reply-cut': 0.03 }
const CUT_AT = [1, 300] as const

export interface StormOptions {
  readonly customers: readonly Customer[]
  readonly seed: number
  readonly signal: AbortSignal
  /** puts something in front of the service, given its origin, and says at which port */
  readonly inFront: (service: ChargeService) => Promise<number>
  readonly onCharge: (ledger: readonly Charge[], unanswered: number) => void
}

export interface Aftermath {
  readonly tally: Readonly<Tally>
  readonly ledger: readonly Charge[]
  /** each customer with what every click came to */
  readonly ends: ReadonlyMap<Customer, readonly End[]>
}

/** All customers against a fresh service; ends when the last of them has an answer. */
export async function storm(options: StormOptions): Promise<Aftermath> {
  const { customers, seed, signal } = options
  const random = seededRandom(seed)
  const service: ChargeService = await startChargeService({
    latencyMs: () => random() < 0.1 ? 250 + random() * 250 : 20 + random() * 60,
    onCharge: () => options.onCharge(service.ledger, service.unanswered),
  })
  try {
    const relay = await startFlakyRelay({ toPort: await options.inFront(service), seed, odds: ODDS, cutAt: CUT_AT })
    try {
      const tally: Tally = { requests: 0, brokenConnections: 0, hangUps: 0, replays: 0, conflicts: 0, putOff: 0 }
      const ends = await Promise.all(customers.map(async (customer) => [customer, await pay(customer, relay.origin, tally, random, signal)] as const))
      return { tally, ledger: [...service.ledger], ends: new Map(ends) }
    } finally {
      await relay.close()
    }
  } finally {
    await service.close()
  }
}

/** The sums that the table and the exit code are made of. */
export interface Sums {
  readonly wanted: number
  readonly executed: number
  readonly chargedTwice: number
  readonly overchargedCents: number
  /** customers who were shown two different charges for one order */
  readonly contradicted: number
  readonly doubts: readonly { readonly customer: Customer, readonly operationRef: string, readonly charges: readonly Charge[] }[]
  readonly stranded: readonly string[]
  /** customers who were told of a charge that is not theirs, or not in the ledger */
  readonly lies: number
}

export function sumUp({ ledger, ends }: Aftermath): Sums {
  const counts = countByIntent(ledger)
  const customers = [...ends.keys()]
  const extra = (customer: Customer): number => Math.max(0, (counts.get(customer.intent) ?? 0) - 1)
  const shown = (customer: Customer): Set<string> => new Set(ends.get(customer)?.flatMap((end) => end.kind === 'paid' ? [end.chargeId] : []))
  const owners = new Map(ledger.map((charge) => [charge.id, charge.metadata.intent]))
  return {
    wanted: customers.length,
    executed: ledger.length,
    chargedTwice: customers.filter((customer) => extra(customer) > 0).length,
    overchargedCents: customers.reduce((sum, customer) => sum + extra(customer) * customer.cents, 0),
    contradicted: customers.filter((customer) => shown(customer).size > 1).length,
    doubts: customers.flatMap((customer) => {
      const doubt = ends.get(customer)?.find((end) => end.kind === 'doubt')
      const charges = ledger.filter(({ metadata }) => metadata.intent === customer.intent)
      return doubt?.kind === 'doubt' ? [{ customer, operationRef: doubt.operationRef, charges }] : []
    }),
    stranded: [...ends].flatMap(([{ intent }, all]) => all.flatMap((end) => end.kind === 'stranded' ? [`${intent}: ${end.why}`] : [])),
    lies: customers.filter((customer) => [...shown(customer)].some((id) => owners.get(id) !== customer.intent)).length,
  }
}
