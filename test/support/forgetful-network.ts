import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { request as ask } from 'undici'

export interface ForgetfulNetwork {
  readonly origin: string
  /** how often each `webhook-id` was sent */
  readonly deliveries: ReadonlyMap<string, number>
}

/**
 * Stands between a sender of webhooks and `to`: passes each delivery on, the first one of an event twice at one time, and
 * forgets the answers to the first `forgets` of them, so that the sender has to come again. 418 is an answer that is
 * held against the event and not against the receiver, which would be left alone for a while.
 */
export async function startForgetfulNetwork(t: Pick<Test, 'teardown'>, to: string, forgets: number): Promise<ForgetfulNetwork> {
  const deliveries = new Map<string, number>()
  const server = createServer(async (incoming, response) => {
    const id = String(incoming.headers['webhook-id'])
    const number = (deliveries.get(id) ?? 0) + 1
    deliveries.set(id, number)
    const body = Buffer.concat(await incoming.toArray())
    const { host: _, connection: __, ...headers } = incoming.headers
    const pass = async (): Promise<number> => {
      const answer = await ask(`${to}${incoming.url}`, { method: 'POST', headers, body })
      await answer.body.dump()
      return answer.statusCode
    }
    const [status = 500] = await Promise.all(number === 1 ? [pass(), pass()] : [pass()])
    response.writeHead(number > forgets ? status : 418).end()
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, deliveries }
}
