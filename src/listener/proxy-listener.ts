import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Clock, Journal, LimitName, LoopDelay, Meter } from '../core/ports.ts'
import { problem } from '../core/problem.ts'
import type { Route } from '../core/route.ts'
import { admit, NO_ROUTE, type Admission } from '../request/admit.ts'
import type { Answer, Call } from '../request/call.ts'
import { answerClientError } from './client-error.ts'
import { Connections } from './connections.ts'
import { HeldBodies } from './held-bodies.ts'
import { HttpCall, type BodyRules } from './http-call.ts'
import { passThrough, type PassThroughOptions } from './pass-through.ts'
import { oversize, parserExcess, serverOptions, type Excess, type ListenerLimits } from './server-limits.ts'
import { isShed, type Traffic } from './shed.ts'
import { writeAnswer, writeProblem } from './write-reply.ts'

export interface ListenerOptions extends PassThroughOptions {
  readonly routes: readonly Route[]
  readonly limits: ListenerLimits
  readonly loopDelay: Pick<LoopDelay, 'recentMs'>
  readonly handle: (call: Call, admitted: Extract<Admission, { kind: 'guarded' }>) => Promise<Answer>
  readonly meter: Meter
  readonly journal: Journal
  readonly clock: Clock
}

/** While draining, connections that fell idle are closed this often. */
const SWEEP_MS = 50

/** When somebody who was turned away may try again: by then the event loop's delay has been measured anew. */
const OVERLOAD_RETRY_MS = 1000

const CROWDED: Excess = { limit: 'connections', problem: problem('overloaded', 'more connections are open than this process takes', { retryAfterMs: OVERLOAD_RETRY_MS }) }
const LATE: Excess = { limit: 'event_loop_delay', problem: problem('overloaded', 'this process is behind with its work', { retryAfterMs: OVERLOAD_RETRY_MS }) }

/**
 * The listener for clients. It looks at each message raw, before any framework does: what is guarded goes down flow
 * one, everything else to fastify and its proxy plugin.
 */
export class ProxyListener {
  readonly #options: ListenerOptions
  readonly #held: HeldBodies
  readonly #bodies: BodyRules
  readonly #connections: Connections
  readonly #app: FastifyInstance
  #server: Server | null = null
  #draining = false
  #cancelSweep: () => void = () => undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    const { limits, clock } = options
    const reached = (limit: LimitName): void => options.meter.limited(limit)
    this.#held = new HeldBodies(limits.heldBodiesBytes)
    this.#bodies = { room: this.#held, timeMs: limits.bodyTimeMs, clock, reached }
    this.#connections = new Connections(limits, reached)
    this.#app = passThrough(options, () => this.#draining, (pass) => {
      const server = createServer(serverOptions(limits), (request, response) => {
        this.#connections.take(request, response, () => this.#receive(request, response, pass))
      })
      this.#connections.govern(server)
      this.#server = server
      return server
    }, (error, socket) => this.#answerClientError(error, socket))
  }

  get heldBytes(): number {
    return this.#held.bytes
  }

  /** connections of clients, idle ones included */
  get connections(): number {
    return this.#connections.count
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
    const excess = this.#excessOf(request)
    if (excess !== null) return this.#turnAway(response, excess, NO_ROUTE)
    const call = new HttpCall(request, response, this.#bodies)
    const admitted = admit(call, this.#options.routes)
    switch (admitted.kind) {
      case 'bypass':
        if (this.#isLate('passed')) return this.#turnAway(response, LATE, admitted.route.name)
        this.#countAtEnd(response, call.method, admitted.route.name)
        pass(request, response)
        return
      case 'refused':
        this.#options.meter.key(admitted.outcome, admitted.route)
        void this.#write(response, call, admitted.route, { kind: 'problem', problem: admitted.problem })
        return
      case 'guarded':
        if (this.#isLate('guarded')) {
          this.#options.meter.key('unavailable', admitted.route)
          return this.#turnAway(response, LATE, admitted.route)
        }
        void this.#guard(call, response, admitted)
        return
      default:
        admitted satisfies never
    }
  }

  /** What can be said of a request before anybody looks for its route. */
  #excessOf(request: IncomingMessage): Excess | null {
    if (this.#connections.isSurplus(request.socket)) return CROWDED
    return oversize(request.url ?? '', request.rawHeaders, this.#options.limits)
  }

  #isLate(traffic: Traffic): boolean {
    return isShed(traffic, this.#options.loopDelay.recentMs(), this.#options.limits.eventLoopDelayMs)
  }

  /** Nothing has run, and nothing will. */
  #turnAway(response: ServerResponse, { limit, problem: because }: Excess, route: string): void {
    if (this.#draining || limit === 'connections') response.shouldKeepAlive = false
    this.#options.meter.limited(limit)
    writeProblem(response, because)
    this.#options.meter.answered(because.status, response.req.method ?? '', route)
  }

  #answerClientError(error: Error, socket: Socket): void {
    const { code = '', rawPacket }: Error & { readonly code?: string, readonly rawPacket?: Buffer } = error
    const excess = parserExcess(code, rawPacket ?? null, this.#options.limits)
    const answered = answerClientError(error, socket, this.#connections.current(socket), excess?.problem ?? null)
    if (answered && excess !== null) this.#options.meter.limited(excess.limit)
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
