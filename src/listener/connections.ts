import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { LimitName } from '../core/ports.ts'
import { problem } from '../core/problem.ts'
import type { ListenerLimits } from './server-limits.ts'
import { writeProblem } from './write-reply.ts'

/*
 * What is known of each client's connection: whether there is room for it, which request it is at, and who is
 * waited for when it falls silent.
 */

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

interface Connection {
  /** one too many: answered 503 at its first request, because a client that gets no word just connects again */
  readonly surplus: boolean
  current: Exchange | null
  /** pipelined requests, in order; each has its head read */
  readonly next: (() => void)[]
}

/** So many connections above the limit are still told so; beyond them node closes without a word. */
const TOLD_CONNECTIONS = 128

/** So many requests of one connection wait before its socket is read no further. */
const PIPELINED_REQUESTS = 16

export class Connections {
  readonly #limits: ListenerLimits
  readonly #reached: (limit: LimitName) => void
  readonly #open = new Map<Socket, Connection>()

  constructor(limits: ListenerLimits, reached: (limit: LimitName) => void) {
    this.#limits = limits
    this.#reached = reached
  }

  get count(): number {
    return this.#open.size
  }

  /** Called once, before the server listens. */
  govern(server: Server): void {
    server.maxHeadersCount = 0
    server.maxConnections = this.#limits.connections + TOLD_CONNECTIONS
    server.timeout = this.#limits.idleTimeMs
    server.on('timeout', (socket: Socket) => this.#silent(socket))
    server.on('drop', () => this.#reached('connections'))
    server.on('connection', (socket: Socket) => {
      this.#open.set(socket, { surplus: this.#open.size >= this.#limits.connections, current: null, next: [] })
      socket.on('close', () => this.#open.delete(socket))
    })
  }

  isSurplus(socket: Socket): boolean {
    return this.#open.get(socket)?.surplus === true
  }

  /** The response that the connection is at, if it is at one. */
  current(socket: Socket): ServerResponse | null {
    return this.#open.get(socket)?.current?.response ?? null
  }

  /**
   * Begins a request once those before it on its connection are answered. node hands over pipelined requests all at
   * once, thousands from one packet; only safe ones may be worked on side by side (RFC 9112 section 9.3.2).
   */
  take(request: IncomingMessage, response: ServerResponse, begin: () => void): void {
    const { socket } = request
    const connection = this.#open.get(socket)
    if (connection === undefined) return // it has closed
    const run = (): void => {
      connection.current = { request, response }
      response.on('close', () => {
        connection.current = null
        if (socket.destroyed || socket.writableEnded) return // what was pipelined behind it could not be answered, so it never begins
        connection.next.shift()?.()
        if (connection.next.length < PIPELINED_REQUESTS && socket.isPaused()) socket.resume()
      })
      begin()
    }
    if (connection.current === null) return run()
    connection.next.push(run)
    if (connection.next.length >= PIPELINED_REQUESTS) socket.pause()
  }

  /** Nothing was read and nothing could be written for `idle_time`. Who is to blame decides. */
  #silent(socket: Socket): void {
    const exchange = this.#open.get(socket)?.current ?? null
    if (exchange === null || socket.writableEnded || (exchange.response.writableEnded && socket.writableLength === 0)) {
      socket.destroy() // between two requests, where it is no fault, or after the last answer
      return
    }
    switch (awaited(exchange, socket)) {
      case 'upstream':
        socket.setTimeout(this.#limits.idleTimeMs) // a timeout comes once; deadlines of our own bound this wait
        return
      case 'client-reads':
        this.#reached('idle_time')
        socket.destroy()
        return
      case 'client-sends':
        this.#reached('idle_time')
        if (exchange.response.headersSent) socket.destroy()
        else writeProblem(exchange.response, problem('request-timeout', 'the rest of the request did not come'))
    }
  }
}

function awaited({ request }: Exchange, socket: Socket): 'upstream' | 'client-reads' | 'client-sends' {
  if (socket.writableLength > 0) return 'client-reads'
  // Bytes that were read and that nobody takes: the upstream does not read, and so neither do we.
  return request.complete || request.readableLength > 0 ? 'upstream' : 'client-sends'
}
