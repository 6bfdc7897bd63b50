import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** What the script may do on one connection once a whole request has arrived. */
export interface Exchange {
  readonly socket: Socket
  /** the request as it came, head and body */
  readonly request: string
  /** counts requests over all connections, from 1 */
  readonly number: number
}

export interface ScriptedUpstream {
  readonly origin: string
  readonly requests: readonly string[]
  /** connections that were ever opened */
  connections(): number
}

/**
 * An upstream over raw sockets that misbehaves exactly as scripted. Requests must declare their length; the script
 * is called once the body is complete.
 */
export async function scriptedUpstream(t: Test, script: (exchange: Exchange) => void): Promise<ScriptedUpstream> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  let opened = 0
  const server = createServer((socket) => {
    opened += 1
    sockets.add(socket)
    let received = ''
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      for (let end = endOfRequest(received); end !== -1; end = endOfRequest(received)) {
        const request = received.slice(0, end)
        received = received.slice(end)
        script({ socket, request, number: requests.push(request) })
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return { origin: `http://127.0.0.1:${port}`, requests, connections: () => opened }
}

/** A complete reply; `fields` are lines without their ends. */
export function respond(socket: Socket, status: number, body: string, ...fields: readonly string[]): void {
  socket.write([`HTTP/1.1 ${status} X`, ...fields, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'))
}

function endOfRequest(received: string): number {
  const head = received.indexOf('\r\n\r\n')
  if (head === -1) return -1
  const length = Number(/^content-length: (\d+)/im.exec(received.slice(0, head))?.[1] ?? 0)
  return received.length >= head + 4 + length ? head + 4 + length : -1
}
