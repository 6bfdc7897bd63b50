import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { text } from 'node:stream/consumers'
import { listenOnLoopback } from './flaky-relay.ts'

/*
 * A charge service without idempotency that can be asked: POST /v1/charges charges whoever X-Tenant names, and GET
 * /v1/charges?key=K&account=T lists what it charged T under the key K. What it does with a request is for the test to say.
 */

export interface Charge {
  readonly id: string
  readonly key: string
  readonly account: string
}

export interface AskableService {
  readonly origin: string
  readonly ledger: Charge[]
  /** requests to charge, by account and key */
  readonly arrived: Map<string, number>
  /** header fields of each question */
  readonly questions: IncomingMessage['headers'][]
  /** how often this was charged */
  charged(account: string, key: string): number
}

export interface Conduct {
  /** before it charges, in ms; null: it never does */
  readonly chargeAfterMs: number | null
  /** it answers, or drops the connection at once and goes on working */
  readonly answers: boolean
}

export type Answerer = (response: ServerResponse, charges: readonly Charge[], request: IncomingMessage) => void

export const listing: Answerer = (response, charges) => { response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data: charges })) }

export async function askableService(t: Test, conductOf: (key: string, arrival: number, account: string) => Conduct, answererOf: (key: string) => Answerer = () => listing): Promise<AskableService> {
  const ledger: Charge[] = []
  const arrived = new Map<string, number>()
  const questions: IncomingMessage['headers'][] = []
  const timers = new Set<NodeJS.Timeout>()

  const charge = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    await text(request)
    const [key, account] = [String(request.headers['idempotency-key']), String(request.headers['x-tenant'])]
    const arrival = (arrived.get(`${account} ${key}`) ?? 0) + 1
    arrived.set(`${account} ${key}`, arrival)
    const { chargeAfterMs, answers } = conductOf(key, arrival, account)
    if (!answers) request.socket.destroy()
    if (chargeAfterMs === null) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      const made = { id: `ch_${ledger.length + 1}`, key, account }
      ledger.push(made)
      if (answers) response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(made))
    }, chargeAfterMs)
    timers.add(timer)
  }

  const server = createServer((request, response) => {
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    if (request.method === 'POST') return void charge(request, response).catch(() => undefined)
    const { searchParams } = new URL(request.url ?? '', 'http://x')
    const [key, account] = [searchParams.get('key') ?? '', searchParams.get('account') ?? '']
    questions.push(request.headers)
    answererOf(key)(response, ledger.filter((made) => made.key === key && made.account === account), request)
  })
  const port = await listenOnLoopback(server, 0)
  t.teardown(() => {
    for (const timer of timers) clearTimeout(timer)
    server.closeAllConnections()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${port}`, ledger, arrived, questions,
    charged: (account, key) => ledger.filter((made) => made.account === account && made.key === key).length,
  }
}
