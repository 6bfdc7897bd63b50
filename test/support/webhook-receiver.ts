import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface Arrived {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What it does with a delivery: a status, or `breaks` the connection after it has read all of it. */
export type Does = number | 'breaks'

export interface WebhookReceiver {
  readonly origin: string
  /** everything that came, in order */
  readonly arrived: readonly Arrived[]
  /** what it answered 2xx: what it did */
  readonly handled: readonly Arrived[]
}

/** A receiver that counts what it is given and remembers nothing: whatever reaches it twice is done twice. */
export async function startWebhookReceiver(t: Pick<Test, 'teardown'>, does: (delivery: Arrived) => Does): Promise<WebhookReceiver> {
  const arrived: Arrived[] = []
  const handled: Arrived[] = []
  const server = createServer(async (request, response) => {
    const delivery = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(await request.toArray()).toString() }
    arrived.push(delivery)
    const end = does(delivery)
    if (end === 'breaks') return void request.socket.destroy()
    if (end < 300) handled.push(delivery)
    return void response.writeHead(end, { 'content-type': 'text/plain' }).end(`${handled.length}`)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, arrived, handled }
}
