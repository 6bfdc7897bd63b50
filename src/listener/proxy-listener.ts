import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { corsFields } from '../core/cors.ts'
import { takesTrailers, type Fields } from '../core/headers.ts'
import type { Clock, Journal, Meter } from '../core/ports.ts'
import { problem, type Problem, type Voice } from '../core/problem.ts'
import type { Route } from '../core/route.ts'
import { admit, NO_ROUTE, type Admission } from '../request/admit.ts'
import type { Answer, Call } from '../request/call.ts'
import { HeldBodies } from './held-bodies.ts'
import { Hops, type HopPolicy } from './hops.ts'
import { HttpCall } from './http-call.ts'
import { passThrough, type Passing, type PassThroughOptions } from './pass-through.ts'
import { readMessage } from './read-message.ts'
import { Unreadable } from './unreadable.ts'
import { writeAnswer, writeProblem } from './write-reply.ts'

export interface ListenerOptions extends PassThroughOptions {
  readonly routes: readonly Route[]
  readonly heldBodiesBytes: number
  readonly hop: HopPolicy
  /** our name in Proxy-Status */
  readonly proxyName: string
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
  readonly #hops: Hops
  readonly #unreadable: Unreadable
  readonly #passing = new WeakMap<object, Passing>()
  readonly #app: FastifyInstance
  #server: Server | null = null
  #draining = false
  #cancelSweep: () => void = () => undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#held = new HeldBodies(options.heldBodiesBytes)
    this.#hops = new Hops(options.hop)
    this.#unreadable = new Unreadable(options.proxyName)
    this.#app = passThrough({
      ...options,
      draining: () => this.#draining,
      callOf: (request) => this.#passing.get(request),
      voiceFor: (call, route) => this.#voiceFor(call.fields, route),
      unreadable: this.#unreadable,
    }, (pass) => this.#serve(pass))
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

  #serve(pass: RequestListener): Server {
    // A request without Host is answered here, with a body that says so.
    const server = createServer({ noDelay: true, keepAliveTimeout: 65_000, requireHostHeader: false }, (request, response) => this.#receive(request, response, pass, 'nothing'))
    server.on('checkContinue', (request, response) => this.#receive(request, response, pass, 'continue'))
    server.on('checkExpectation', (request, response) => this.#receive(request, response, pass, 'unknown'))
    this.#unreadable.watch(server)
    // A client that closes its sending side still reads (RFC 9112 section 9.6); node would close the other side, too.
    this.#server = Object.assign(server, { httpAllowHalfOpen: true })
    return server
  }

  #receive(request: IncomingMessage, response: ServerResponse, pass: RequestListener, expectation: 'nothing' | 'continue' | 'unknown'): void {
    this.#unreadable.saw(request, response)
    const hop = this.#hops.of(request)
    const message = readMessage(request, hop)
    if (message.kind === 'refused') return this.#refuse(request, response, message.problem)
    if (expectation === 'unknown') return this.#refuse(request, response, problem('expectation-failed', 'the only expectation that is met here is 100-continue'))
    if (message.kind === 'for-us') return this.#answerOptions(request, response)
    const call = new HttpCall(request, response, { target: message.target, fields: message.fields, hop, expectsContinue: expectation === 'continue' }, this.#held)
    const admitted = admit(call, this.#options.routes)
    switch (admitted.kind) {
      case 'bypass':
        this.#countAtEnd(response, call.method, admitted.route.name)
        if (expectation === 'continue') response.writeContinue()
        request.url = call.target
        this.#passing.set(request, { call, route: admitted.route.name })
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

  /** Before any route: no claim, and the connection ends, because what follows may not be where it seems to be. */
  #refuse(request: IncomingMessage, response: ServerResponse, because: Problem): void {
    response.shouldKeepAlive = false
    writeProblem(response, because, { proxy: this.#options.proxyName, cors: [] })
    if (because.code === 'key-invalid') this.#options.meter.key('invalid', NO_ROUTE)
    this.#options.meter.answered(response.statusCode, request.method ?? '', NO_ROUTE)
  }

  #answerOptions(request: IncomingMessage, response: ServerResponse): void {
    if (this.#draining) response.shouldKeepAlive = false
    response.writeHead(204)
    response.end()
    this.#options.meter.answered(response.statusCode, request.method ?? '', NO_ROUTE)
  }

  #voiceFor(request: Fields, route: string): Voice {
    const { routes, proxyName } = this.#options
    return { proxy: proxyName, cors: corsFields(routes.find(({ name }) => name === route)?.cors ?? null, request) }
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
    const voice = answer.kind === 'replay' ? { proxy: this.#options.proxyName, cors: [] } : this.#voiceFor(call.fields, route)
    const writing = writeAnswer(response, { method: call.method, takesTrailers: call.hop.httpVersion === '1.1' && takesTrailers(call.fields), voice }, answer)
    if (answer.kind !== 'none') this.#options.meter.answered(response.statusCode, call.method, route)
    return writing
  }

  #countAtEnd(response: ServerResponse, method: string, route: string): void {
    response.on('finish', () => this.#options.meter.answered(response.statusCode, method, route))
  }
}
