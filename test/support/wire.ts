import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** One end of a connection in the hands of a test: it writes bytes as they are and waits for what comes. */
export interface Wire {
  readonly socket: Socket
  /** everything that came so far, as latin1 */
  received(): string
  /** how many bytes came, kept or not */
  bytes(): number
  /** resolves with what came once it contains `text`; rejects if the connection is closed before */
  until(text: string): Promise<string>
  /** resolves with how the connection ended: `end` after a clean FIN, `reset` otherwise */
  closed(): Promise<'end' | 'reset'>
}

export interface StandIn {
  readonly origin: string
  /** the next connection that is opened, or that was and nobody has asked for */
  next(): Promise<Wire>
  opened(): number
}

/** A client's connection. */
export function dial(t: Test, address: string): Wire {
  const { hostname, port } = new URL(address)
  return wire(t, connect({ port: Number(port), host: hostname, noDelay: true, allowHalfOpen: true }), KEPT_BYTES)
}

/** An upstream whose every connection is played by the test, step by step. */
export async function standIn(t: Test): Promise<StandIn> {
  const waiting: Wire[] = []
  const asking: ((one: Wire) => void)[] = []
  let opened = 0
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    opened += 1
    const one = wire(t, socket, KEPT_BYTES)
    const ask = asking.shift()
    if (ask === undefined) waiting.push(one)
    else ask(one)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return {
    origin: `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
    next: () => new Promise((resolve) => {
      const one = waiting.shift()
      if (one === undefined) asking.push(resolve)
      else resolve(one)
    }),
    opened: () => opened,
  }
}

/** What of the bytes is kept as text; a flood is only counted. */
const KEPT_BYTES = 1024 * 1024

function wire(t: Test, socket: Socket, keptBytes: number): Wire {
  let received = ''
  let bytes = 0
  let ended = false
  let over: 'end' | 'reset' | null = null
  const questions = new Set<() => void>()
  const ask = (): void => { for (const question of questions) question() }
  const asked = <T>(answer: () => T | undefined): Promise<T> => new Promise((resolve, reject) => {
    const question = (): void => {
      try {
        const found = answer()
        if (found === undefined) return
        resolve(found)
      } catch (error) {
        reject(error)
      }
      questions.delete(question)
    }
    questions.add(question)
    question()
  })
  socket.on('data', (chunk) => {
    bytes += chunk.length
    if (received.length < keptBytes) received += chunk.toString('latin1')
    ask()
  })
  socket.on('end', () => { ended = true; over ??= 'end'; ask() })
  socket.on('error', () => undefined) // 'close' follows
  socket.on('close', () => { over ??= ended ? 'end' : 'reset'; ask() })
  t.teardown(() => socket.destroy())
  return {
    socket,
    received: () => received,
    bytes: () => bytes,
    until: (text) => asked(() => {
      if (received.includes(text)) return received
      if (over !== null) throw new Error(`the connection is closed and '${text}' did not come, but '${received}'`)
      return undefined
    }),
    closed: () => asked(() => over ?? undefined),
  }
}
