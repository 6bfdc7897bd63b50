import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface Received {
  readonly method: string
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

export type Answer = (response: ServerResponse, received: Received) => void

/** A service that takes webhooks in, on the loopback interface. */
export interface Receiver {
  readonly url: URL
  readonly port: number
  readonly received: readonly Received[]
  /** resolves once so many requests have arrived */
  readonly arrived: (count: number) => Promise<void>
  answer: Answer
  /** how many were opened so far */
  readonly connections: () => number
  /** from now on connections are refused */
  readonly shut: () => Promise<void>
}

export const accepts: Answer = (response) => void response.writeHead(204).end()

export async function startReceiver(t: Pick<Test, 'teardown'>, answer: Answer = accepts, tls: { readonly key: string, readonly cert: string } | null = null): Promise<Receiver> {
  const received: Received[] = []
  let tell = (): void => undefined
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      const { method = '', url: target = '', headers, rawHeaders } = request
      const one = { method, target, headers, rawHeaders, body: Buffer.concat(chunks) }
      received.push(one)
      tell()
      receiver.answer(response, one)
    })
  }
  const server: Server = tls === null ? createServer(listener) : createTlsServer(tls, listener)
  let connections = 0
  server.on('connection', () => { connections += 1 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const shut = async (): Promise<void> => {
    const closed = server.listening ? once(server, 'close') : Promise.resolve()
    server.close()
    server.closeAllConnections()
    await closed
  }
  t.teardown(shut)
  const receiver: Receiver = {
    url: new URL(`${tls === null ? 'http' : 'https'}://127.0.0.1:${port}/hooks?to=us`), port, received, answer, shut,
    connections: () => connections,
    async arrived(count) {
      while (received.length < count) await new Promise<void>((resolve) => { tell = resolve })
    },
  }
  return receiver
}
