import { setTimeout as pause } from 'node:timers/promises'

/** Somebody who wants to pay once. Drawn from the seed, so that both halves of the demo meet the same people. */
export interface Customer {
  readonly intent: string
  /** made once, sent with every try: that is all that Onceward asks of a client */
  readonly key: string
  readonly cents: number
  readonly arrivesAtMs: number
  /** how long the first try may take before this customer hangs up and tries again; each later try gets twice as long */
  readonly patienceMs: number
  /** 2: the button was pressed twice, and two requests with one key are on their way together */
  readonly clicks: 1 | 2
}

/** What the customers met, counted as they met it. */
export interface Tally {
  requests: number
  brokenConnections: number
  hangUps: number
  replays: number
  conflicts: number
  /** 502 and 503: not now, come again */
  putOff: number
}

export type End =
  | { readonly kind: 'paid', readonly chargeId: string }
  /** nobody knows: a careful client stops here and lets somebody look it up */
  | { readonly kind: 'doubt', readonly operationRef: string }
  | { readonly kind: 'stranded', readonly why: string }

type Answer = End | { readonly kind: 'again', readonly afterMs: number }

const HURRIED_MS = 120
const PATIENT_MS = 4000
/** Longer than a lease and a restart; a customer who needs more is told of as stranded. */
const MAX_TRIES = 30

export function drawCustomers(count: number, withinMs: number, random: () => number): Customer[] {
  return Array.from({ length: count }, (_, i) => ({
    intent: `order-${String(i + 1).padStart(3, '0')}`,
    key: `pay-${Math.floor(random() * 2 ** 32).toString(16).padStart(8, '0')}-${i + 1}`,
    cents: 500 + Math.floor(random() * 9500),
    arrivesAtMs: Math.floor(random() * withinMs),
    patienceMs: random() < 0.15 ? HURRIED_MS : PATIENT_MS,
    clicks: random() < 0.1 ? 2 : 1,
  }))
}

/** One end per click. Nobody gives up before an answer, and nobody makes a second key. */
export async function pay(customer: Customer, origin: string, tally: Tally, random: () => number, signal: AbortSignal): Promise<readonly End[]> {
  await pause(customer.arrivesAtMs, undefined, { signal })
  return await Promise.all(Array.from({ length: customer.clicks }, () => insist(customer, origin, tally, random, signal)))
}

async function insist(customer: Customer, origin: string, tally: Tally, random: () => number, signal: AbortSignal): Promise<End> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const answer = await ask(customer, origin, tally, Math.min(customer.patienceMs * 2 ** tries, PATIENT_MS), signal)
    if (answer.kind !== 'again') return answer
    await pause(answer.afterMs + random() * 300, undefined, { signal }) // jitter: those who were put off together do not return together
  }
  return { kind: 'stranded', why: `no answer in ${MAX_TRIES} tries` }
}

async function ask(customer: Customer, origin: string, tally: Tally, patienceMs: number, signal: AbortSignal): Promise<Answer> {
  const patience = AbortSignal.timeout(patienceMs)
  tally.requests += 1
  try {
    const response = await fetch(`${origin}/v1/charges`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': customer.key },
      body: JSON.stringify({ amount: customer.cents, currency: 'eur', intent: customer.intent }),
      signal: AbortSignal.any([signal, patience]),
    })
    return judge(response, await response.text(), tally)
  } catch (error) {
    if (signal.aborted) throw error
    if (patience.aborted) tally.hangUps += 1
    else tally.brokenConnections += 1
    return { kind: 'again', afterMs: 100 }
  }
}

/** What a careful client does with an answer; it looks at the problem's type, not at the status alone. */
function judge(response: Response, text: string, tally: Tally): Answer {
  const body = readBody(text)
  if (response.ok) {
    if (response.headers.get('idempotent-replayed') === 'true') tally.replays += 1
    return { kind: 'paid', chargeId: String(body['id']) }
  }
  const afterMs = Number(response.headers.get('retry-after') ?? 1) * 1000
  switch (body['type']) {
    case 'urn:onceward:problem:in-flight':
      tally.conflicts += 1
      return { kind: 'again', afterMs }
    case 'urn:onceward:problem:outcome-unknown':
      return { kind: 'doubt', operationRef: String(body['operation_ref']) }
    case 'urn:onceward:problem:upstream-unreachable': case 'urn:onceward:problem:store-unavailable':
      tally.putOff += 1
      return { kind: 'again', afterMs }
    default:
      return { kind: 'stranded', why: `${response.status} ${text.slice(0, 200)}` }
  }
}

function readBody(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text)
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
