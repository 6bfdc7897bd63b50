import { randomUUID } from 'node:crypto'
import { fsyncSync, openSync, writeSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'
import { between, chance, hashOf, weighted } from './chance.ts'
import { REFUSALS, type Behaviour, type FromUpstream, type LedgerLine, type ToUpstream, type UpstreamOrder } from './protocol.ts'

/*
 * The service behind, in a process of its own that nobody kills. Each execution is on disk before anybody hears of it
 * and answers with a body that no other execution has. How an arrival is treated follows from seed, key and how
 * often the key has arrived, so that a run can be repeated. Below /resend it honours the key itself, as an upstream
 * must before a route may declare `resend`.
 */

const order = JSON.parse(process.argv[2] ?? '') as UpstreamOrder
const ledger = openSync(order.ledger, 'a')
const arrivals = new Map<string, number>()
const gates = new Map<string, (as: Behaviour) => void>()
const honoured = new Map<string, Executed | 'under way'>()
let healed = false

interface Executed {
  readonly status: number
  readonly body: Buffer
}

interface Arrival {
  readonly key: string
  readonly nth: number
  readonly bodyHash: string
  readonly honoursKey: boolean
  readonly response: ServerResponse
}

const server = createServer((request, response) => {
  response.on('error', () => undefined)
  request.on('error', () => undefined)
  void receive(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => say({ kind: 'listening', origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))

process.on('disconnect', () => process.exit(0))
process.on('message', (message: ToUpstream) => {
  if (message.kind === 'heal') {
    healed = true
    return
  }
  gates.get(`${message.key} ${message.nth}`)?.(message.as)
})

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request) // a request that was cut off never counts as arrived
  const key = String(request.headers['idempotency-key'])
  const nth = (arrivals.get(key) ?? 0) + 1
  arrivals.set(key, nth)
  const arrival: Arrival = { key, nth, bodyHash: hashOf(body), honoursKey: !order.gated && request.url?.startsWith('/resend/') === true, response }
  append({ at: 'arrived', key, nth, bodyHash: arrival.bodyHash })
  const opened = order.gated ? new Promise<Behaviour>((resolve) => gates.set(`${key} ${nth}`, resolve)) : null
  say({ kind: 'arrived', key, nth })
  const random = chance(order.seed, `${key} ${nth}`)
  await behave(arrival, opened === null ? (healed ? 'answer' : weighted(random, order.weights, 'answer')) : await opened, random)
}

async function behave(arrival: Arrival, how: Behaviour, random: () => number): Promise<void> {
  const { response } = arrival
  if (REFUSALS.has(how)) append({ at: 'refused', key: arrival.key, nth: arrival.nth })
  switch (how) {
    case 'answer': return reply(response, await work(arrival, 201))
    case 'slow': return reply(response, await work(arrival, 201, between(random, 30, 400)))
    case 'overdue': return reply(response, await work(arrival, 201, 1200))
    case 'hang': {
      await work(arrival, 201)
      return
    }
    case 'streamed': {
      const { status, body } = await work(arrival, 201)
      response.writeHead(status, { 'content-type': 'text/event-stream' }).end(body)
      return
    }
    case 'reset-before-work': return cut(response)
    case 'reset-after-work': {
      await work(arrival, 201, between(random, 0, 20))
      return cut(response)
    }
    case 'reset-in-reply': {
      const { status, body } = await work(arrival, 201)
      response.writeHead(status, { 'content-length': body.length })
      response.write(body.subarray(0, body.length / 2), () => cut(response))
      return
    }
    case 'error-500': return reply(response, await work(arrival, 500))
    case 'gateway-502': return reply(response, { status: 502, body: Buffer.from(`bad gateway ${randomUUID()}`) })
    case 'gateway-502-after-work': {
      await work(arrival, 201)
      return reply(response, { status: 502, body: Buffer.from(`bad gateway ${randomUUID()}`) })
    }
    case 'refuse-503': return reply(response, { status: 503, body: Buffer.from('not now') }, { 'retry-after': '0' })
    case 'refuse-429': return reply(response, { status: 429, body: Buffer.from('too many') }, { 'retry-after': '0' })
    case 'refuse-401': return reply(response, { status: 401, body: Buffer.from('who are you') })
    default: return how satisfies never
  }
}

/** Does the work once per call, or, where the key is honoured, once per key. */
async function work(arrival: Arrival, status: number, delayMs = 0): Promise<Executed> {
  if (!arrival.honoursKey) {
    await after(delayMs)
    return execute(arrival, status)
  }
  const before = honoured.get(arrival.key)
  if (before === 'under way') return { status: 409, body: Buffer.from('in progress') }
  if (before !== undefined) return before
  honoured.set(arrival.key, 'under way')
  await after(delayMs)
  const executed = execute(arrival, status)
  honoured.set(arrival.key, executed)
  return executed
}

function execute({ key, nth, bodyHash }: Arrival, status: number): Executed {
  const body = Buffer.from(JSON.stringify({ execution: randomUUID(), key, nth, padding: 'x'.repeat(200) }))
  append({ at: 'executed', key, nth, bodyHash, status, replyHash: hashOf(body) })
  return { status, body }
}

function reply(response: ServerResponse, { status, body }: Executed, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers }).end(body)
}

function cut(response: ServerResponse): void {
  response.socket?.resetAndDestroy()
}

function append(line: LedgerLine): void {
  writeSync(ledger, `${JSON.stringify(line)}\n`)
  fsyncSync(ledger)
}

function say(message: FromUpstream): void {
  process.send?.(message)
}
