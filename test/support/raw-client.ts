import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A client that writes bytes as they are, for messages that no HTTP library would send. */
export interface RawClient {
  readonly socket: Socket
  /** everything that came so far, as latin1 */
  received(): string
  /** Resolves once what came satisfies the question, or the connection is closed. */
  until(enough: (received: string) => boolean): Promise<string>
  /** Resolves with everything that came, once the other side has closed. */
  closed(): Promise<string>
}

export function rawClient(t: Test, address: string): RawClient {
  const { hostname, port } = new URL(address)
  const socket = connect({ port: Number(port), host: hostname, noDelay: true })
  t.teardown(() => socket.destroy())
  const questions = new Set<() => void>()
  let received = ''
  let over = false
  const ask = (): void => { for (const question of questions) question() }
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    ask()
  })
  socket.on('error', () => undefined) // a reset is an end like others, and 'close' follows
  socket.on('close', () => {
    over = true
    ask()
  })
  const until = (enough: (received: string) => boolean): Promise<string> => new Promise((resolve) => {
    const question = (): void => {
      if (!over && !enough(received)) return
      questions.delete(question)
      resolve(received)
    }
    questions.add(question)
    question()
  })
  return { socket, received: () => received, until, closed: () => until(() => false) }
}

/** Writes these bytes (latin1) on a connection of their own and resolves with all that came until it was closed. */
export async function rawExchange(t: Test, address: string, bytes: string): Promise<string> {
  const client = rawClient(t, address)
  client.socket.write(bytes, 'latin1')
  return await client.closed()
}

/** The statuses of the replies in a stream of them, 1xx left out. */
export function statusesIn(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])).filter((status) => status >= 200)
}
