import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { listenOnLoopback } from './flaky-relay.ts'

/*
 * A legacy charge service. It knows nothing of idempotency: every POST /v1/charges that it has read charges a card,
 * whoever still listens. GET /ledger tells the harness what was charged.
 *
 * In the process of a test by startChargeService(), or alone, as an upstream to play with:
 *
 *     node test/support/charge-service.ts 3000
 */

export interface Charge {
  readonly id: string
  readonly object: 'charge'
  /** in the smallest unit of the currency */
  readonly amount: number
  readonly currency: string
  /** what the caller wanted to buy; two charges with one intent are one too many */
  readonly metadata: { readonly intent: string }
}

export interface ChargeServiceOptions {
  readonly port?: number
  /** how long the card network takes, in ms, for each charge anew */
  readonly latencyMs?: () => number
  /** called with each charge just after it was made, long before it is answered */
  readonly onCharge?: (charge: Charge) => void
}

export interface ChargeService {
  readonly origin: string
  readonly port: number
  readonly ledger: readonly Charge[]
  /** charges that were made and are not answered yet */
  readonly unanswered: number
  close(): Promise<void>
}

type Order = Pick<Charge, 'amount' | 'currency' | 'metadata'>

export async function startChargeService(options: ChargeServiceOptions = {}): Promise<ChargeService> {
  const { port = 0, latencyMs = () => 0, onCharge = () => undefined } = options
  const ledger: Charge[] = []
  let unanswered = 0

  const charge = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readAll(request)
    if (body === undefined) return // broken off: it was never read, so nothing is charged
    const order = readOrder(request.headers['content-type'] ?? '', body)
    if (order === undefined) return answer(response, 400, { error: { type: 'invalid_request_error', message: 'amount, currency and intent are needed' } })
    const made: Charge = { id: `ch_${String(ledger.length + 1).padStart(6, '0')}`, object: 'charge', ...order }
    ledger.push(made)
    unanswered += 1
    onCharge(made)
    await pause(latencyMs())
    unanswered -= 1
    answer(response, 200, made)
  }

  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/v1/charges') void charge(request, response)
    else if (request.method === 'GET' && request.url === '/ledger') answer(response, 200, ledger)
    else answer(response, 404, { error: { type: 'invalid_request_error', message: 'there is POST /v1/charges and GET /ledger' } })
  })
  const bound = await listenOnLoopback(server, port)
  return {
    origin: `http://127.0.0.1:${bound}`,
    port: bound,
    ledger,
    get unanswered() { return unanswered },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

/** How often each intent was charged. */
export function countByIntent(ledger: readonly Charge[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { metadata: { intent } } of ledger) counts.set(intent, (counts.get(intent) ?? 0) + 1)
  return counts
}

/** Undefined for a body that broke off. */
async function readAll(request: IncomingMessage): Promise<string | undefined> {
  try {
    return await text(request)
  } catch {
    return undefined
  }
}

/** `{"amount": 500, "currency": "eur", "intent": "7"}`, or a form in Stripe's style with `metadata[intent]=7`. */
function readOrder(contentType: string, body: string): Order | undefined {
  const fields = contentType.startsWith('application/json') ? readJson(body) : Object.fromEntries(new URLSearchParams(body))
  const amount = Number(fields['amount'])
  const { currency, intent = fields['metadata[intent]'] } = fields
  if (!Number.isSafeInteger(amount) || amount <= 0 || typeof currency !== 'string' || typeof intent !== 'string') return undefined
  return { amount, currency, metadata: { intent } }
}

function readJson(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length })
  response.end(bytes)
}

if (import.meta.main) {
  const service = await startChargeService({ port: Number(process.argv[2] ?? 3000), latencyMs: () => 50 })
  process.stdout.write(`charging cards at ${service.origin}/v1/charges, telling at ${service.origin}/ledger\n`)
}
