import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Clock, Journal, Meter } from '../core/ports.ts'
import type { Route } from '../core/route.ts'
import { admit, type Admission } from '../request/admit.ts'
import type { Answer, Call } from '../request/call.ts'
import { HeldBodies } from './held-bodies.ts'
import { HttpCall } from './http-call.ts'
import { passThrough, type PassThroughOptions } from './pass-through.ts'
import { writeAnswer } from './write-reply.ts'

export interface ListenerOptions extends PassThroughOptions {
  readonly routes: readonly Route[]
  readonly heldBodiesBytes: number
  readonly handle: (call: Call, admitted: Extract<Admission, { kind: 'guarded' }>) => Promise<Answer>
  readonly meter: Meter
  readonly journal: Journal
  readonly clock: Clock
}

/** While draining, connections that fell idle are closed this often. */
const SWEEP_MS = 50

/**
 * The listener for clients. It looks at each message raw, before any framework does: what is guarded goes down flow
 * one, everything else to fastify and its proxy plugin.
 */
export class ProxyListener {
  readonly #options: ListenerOptions
  readonly #held: HeldBodies
  readonly #app: FastifyInstance
  #server: Server | null = null
  #draining = false
  #cancelSweep: () => void = () => undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#held = new HeldBodies(options.heldBodiesBytes)
    this.#app = passThrough(options, () => this.#draining, (pass) => {
      this.#server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, (request, response) => this.#receive(request, response, pass))
      return this.#server
    })
  }

  get heldBytes(): number {
    return this.#held.bytes
  }

  async listen(at: { readonly host: string, readonly port: number }): Promise<string> {
    return await this.#app.listen({ host: at.host, port: at.port })
  }

  /**
   * From now on new connections are refused and every answer closes its own; resolves once the last connection is
   * closed, so that everything written has left. May be called once.
   */
  drain(): Promise<void> {
    this.#draining = true
    return new Promise((resolve) => {
      const server = this.#server
      if (server === null) return resolve()
      let closed = false
      server.close(() => {
        closed = true
        resolve()
      })
      // An answer that had begun before the drain leaves its connection open and idle.
      const sweep = (): void => {
        server.closeIdleConnections()
        if (!closed) this.#cancelSweep = this.#options.clock.after(SWEEP_MS, sweep)
      }
      sweep()
    })
  }

  async close(): Promise<void> {
    this.#cancelSweep()
    this.#server?.closeAllConnections()
    await this.#app.close()
  }

  #receive(request: IncomingMessage, response: ServerResponse, pass: RequestListener): void {
    if (request.httpVersionMajor < 1) {
      // A request line without a version. node's parser still takes HTTP/0.9, and would read the fields behind it as the next request.
      response.destroy()
      return
    }
    const call = new HttpCall(request, response, this.#held)
    const admitted = admit(call, this.#options.routes)
    switch (admitted.kind) {
      case 'bypass':
        this.#countAtEnd(response, call.method, admitted.route.name)
        pass(request, response)
        return
      case 'refused':
        this.#options.meter.key(admitted.outcome, admitted.route)
        void this.#write(response, call, admitted.route, { kind: 'problem', problem: admitted.problem })
        return
      case 'guarded':
        void this.#guard(call, response, admitted)
        return
      default:
        admitted satisfies never
    }
  }

  async #guard(call: HttpCall, response: ServerResponse, admitted: Extract<Admission, { kind: 'guarded' }>): Promise<void> {
    try {
      const writing = this.#write(response, call, admitted.route, await this.#options.handle(call, admitted))
      if (writing !== null) await writing
    } catch (error) {
      this.#options.journal.error('listener.failed', { error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
      response.destroy()
    }
  }

  #write(response: ServerResponse, call: Call, route: string, answer: Answer): Promise<void> | null {
    if (call.gone()) {
      if (answer.kind === 'fresh' && answer.reply.kind === 'streaming') answer.reply.body.cancel()
      return null
    }
    if (this.#draining) response.shouldKeepAlive = false
    const writing = writeAnswer(response, call.method, answer)
    if (answer.kind !== 'none') this.#options.meter.answered(response.statusCode, call.method, route)
    return writing
  }

  #countAtEnd(response: ServerResponse, method: string, route: string): void {
    response.on('finish', () => this.#options.meter.answered(response.statusCode, method, route))
  }
}
