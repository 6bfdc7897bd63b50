import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as after } from 'node:timers/promises'

/** What becomes of an operation at the service: `lost` does the work and then breaks the connection. */
export type Fate = 'answered' | 'slow' | 'lost'

export interface Ledger {
  readonly origin: string
  /** executions by the name of the operation */
  readonly executions: ReadonlyMap<string, number>
  /** requests that nobody sent: each was hidden in another one */
  readonly smuggled: readonly string[]
  /** requests of hostile clients that arrived */
  readonly others: () => number
  close(): Promise<void>
}

/** The word that stands in every reply to an operation and in no other: a hostile client that reads it has read somebody's reply. */
export const EXECUTION = 'execution-'

/**
 * The service behind. `POST /operations/<name>?<fate>` executes the operation once per arrival, which it should see
 * once. Everything else is answered and counted.
 */
export async function startLedger(): Promise<Ledger> {
  const executions = new Map<string, number>()
  const smuggled: string[] = []
  let others = 0

  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = request.url ?? ''
    if (target.includes('smuggled')) smuggled.push(`${request.method} ${target}`)
    await buffer(request) // what was cut off never counts as arrived
    const [, name, fate] = /^\/operations\/([\w-]+)\?(answered|slow|lost)$/.exec(target) ?? []
    if (name === undefined) {
      others += 1
      response.end('nothing of value')
      return
    }
    if (fate === 'slow') await after(30)
    executions.set(name, (executions.get(name) ?? 0) + 1)
    if (fate === 'lost') request.socket.resetAndDestroy()
    else response.writeHead(201, { 'content-type': 'text/plain' }).end(EXECUTION + randomUUID())
  }

  const server = createServer({ maxHeaderSize: 128 * 1024 }, (request, response) => {
    response.on('error', () => undefined)
    void receive(request, response).catch(() => response.destroy())
  })
  server.on('clientError', (_, socket) => void socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, executions, smuggled,
    others: () => others,
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}
