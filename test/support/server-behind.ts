import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'

/** A request as an ordinary server behind the sidecar understood it. */
export interface Understood {
  readonly method: string
  readonly target: string
  /** flat, as node's rawHeaders */
  readonly fields: readonly string[]
  readonly body: Buffer
}

export interface ServerBehind {
  readonly origin: string
  readonly requests: readonly Understood[]
}

type Script = (response: ServerResponse, request: Understood, number: number) => void

/** An ordinary HTTP server with node's strict parser. It answers once it has read the body; without a script, 200. */
export async function serverBehind(t: Test, script: Script = (response, _, number) => void response.end(`n${number}`)): Promise<ServerBehind> {
  const requests: Understood[] = []
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const understood = { method: request.method ?? '', target: request.url ?? '', fields: request.rawHeaders, body: await buffer(request) }
    script(response, understood, requests.push(understood))
  }
  const server = createServer((request, response) => void receive(request, response).catch(() => response.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}
