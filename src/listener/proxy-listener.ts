import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { corsFields } from '../core/cors.ts'
import { takesTrailers, type Fields } from '../core/headers.ts'
import type { LimitName, LoopDelay, TokenVerifier } from '../core/ports.ts'
import { problem, type Problem, type Voice } from '../core/problem.ts'
import type { Route } from '../core/route.ts'
import { traceIds, type Trace, type Tracer } from '../core/tracing.ts'
import { admit, NO_ROUTE, routeOf, type Admission } from '../request/admit.ts'
import type { Answer, Call } from '../request/call.ts'
import type { LookupDependencies } from '../request/lookup.ts'
import { Bypass, responseTo, type BypassOptions } from './bypass.ts'
import { answerClientError, refuseTunnels } from './client-error.ts'
import { Connections } from './connections.ts'
import { HeldBodies } from './held-bodies.ts'
import { Hops, type HopPolicy } from './hops.ts'
import { HttpCall, type BodyRules, type Traced } from './http-call.ts'
import { answerOperation, operationTarget, type OperationTarget } from './operations.ts'
import { readMessage } from './read-message.ts'
import { oversize, parserExcess, serverOptions, type Excess, type ListenerLimits } from './server-limits.ts'
import { isShed, type Traffic } from './shed.ts'
import { wantsWebsocket } from './tunnel.ts'
import { writeAnswer, writeProblem, type Asked } from './write-reply.ts'

export interface ListenerOptions extends BypassOptions {
  /** the routes in force, asked for once per request */
  readonly policies: { readonly routes: readonly Route[] }
  readonly tokens: TokenVerifier
  readonly tracer: Tracer
  readonly hop: HopPolicy
  /** our name in Proxy-Status */
  readonly proxyName: string
  readonly limits: ListenerLimits
  readonly loopDelay: Pick<LoopDelay, 'recentMs'>
  /** where accepted requests are looked up */
  readonly lookup: LookupDependencies
  readonly handle: (call: Call, admitted: Extract<Admission, { kind: 'guarded' }>) => Promise<Answer>
}

/** What a request says that it waits for before it sends its body (RFC 9110 section 10.1.1). */
type Expectation = 'nothing' | 'continue' | 'unknown'

/** While draining, connections that fell idle are closed this often. */
const SWEEP_MS = 50

/** When somebody who was turned away may try again: by then the event loop's delay has been measured anew. */
const OVERLOAD_RETRY_MS = 1000

const CROWDED: Excess = { limit: 'connections', problem: problem('overloaded', 'more connections are open than this process takes', { retryAfterMs: OVERLOAD_RETRY_MS }) }
const LATE: Excess = { limit: 'event_loop_delay', problem: problem('overloaded', 'this process is behind with its work', { retryAfterMs: OVERLOAD_RETRY_MS }) }

/**
 * The listener for clients. It looks at each message raw, before any framework does: what is guarded goes down flow
 * one, everything else past the keys.
 */
export class ProxyListener {
  readonly #options: ListenerOptions
  readonly #held: HeldBodies
  readonly #hops: Hops
  readonly #bodies: BodyRules
  readonly #connections: Connections
  readonly #voice: Voice
  readonly #bypass: Bypass
  #server: Server | null = null
  #draining = false
  #cancelSweep: () => void = () => undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    const { limits, clock, proxyName: proxy } = options
    const reached = (limit: LimitName): void => options.meter.limited(limit)
    this.#voice = { proxy, cors: [] }
    this.#hops = new Hops(options.hop)
    this.#held = new HeldBodies(limits.heldBodiesBytes)
    this.#bodies = { room: this.#held, timeMs: limits.bodyTimeMs, clock, reached }
    this.#connections = new Connections(limits, this.#voice, reached)
    this.#bypass = new Bypass(options, () => this.#draining, () => this.#serve(), (error, socket) => this.#answerClientError(error, socket))
  }

  get heldBytes(): number {
    return this.#held.bytes
  }

  get connections(): number {
    return this.#connections.count
  }

  async listen(at: { readonly host: string, readonly port: number }): Promise<string> {
    return await this.#bypass.app.listen({ host: at.host, port: at.port })
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
    await this.#bypass.close()
  }

  #serve(): Server {
    // A request without Host is answered here, with a body that says so.
    const options = { ...serverOptions(this.#options.limits), requireHostHeader: false, shouldUpgradeCallback: wantsWebsocket }
    const server = createServer(options, (request, response) => this.#take(request, response, 'nothing'))
    server.on('checkContinue', (request, response) => this.#take(request, response, 'continue'))
    server.on('checkExpectation', (request, response) => this.#take(request, response, 'unknown'))
    server.on('upgrade', (request, _socket, head: Buffer) => this.#receiveHandshake(request, head))
    refuseTunnels(server, this.#voice)
    this.#connections.govern(server)
    // A client that closes its sending side still reads (RFC 9112 section 9.6); node would close the other side, too.
    this.#server = Object.assign(server, { httpAllowHalfOpen: true })
    return server
  }

  #take(request: IncomingMessage, response: ServerResponse, expectation: Expectation): void {
    this.#connections.take(request, response, () => this.#receive(request, response, expectation))
  }

  #receive(request: IncomingMessage, response: ServerResponse, expectation: Expectation): void {
    const call = this.#read(request, response, expectation)
    if (call === null) return
    const operation = operationTarget(call.target)
    if (operation !== null) return this.#tell(operation, call, response)
    const admission = admit(call, this.#options.policies.routes, this.#options.tokens)
    if (!(admission instanceof Promise)) return this.#proceed(call, request, response, admission)
    void admission
      .then((admitted) => this.#proceed(call, request, response, admitted))
      .catch((error: unknown) => this.#fail(call, response, error))
  }

  /** A question about an operation has no route before it is known whose it is. */
  #tell(operation: OperationTarget, call: HttpCall, response: ServerResponse): void {
    if (this.#isLate('passed')) return this.#turnAway(response, LATE, NO_ROUTE)
    void answerOperation(operation, call, response, this.#voice, () => { if (this.#draining) response.shouldKeepAlive = false }, this.#options.lookup)
      .then(() => this.#options.meter.answered(response.statusCode, call.method, NO_ROUTE))
      .catch((error: unknown) => this.#fail(call, response, error))
  }

  /** Null for a message that is answered already, because it goes no further. */
  #read(request: IncomingMessage, response: ServerResponse, expectation: Expectation): HttpCall | null {
    const trace = this.#traceOf(request, response)
    const hop = this.#hops.of(request)
    const excess = this.#excessOf(request)
    const message = readMessage(request, hop)
    if (excess !== null) this.#turnAway(response, excess, NO_ROUTE)
    else if (message.kind === 'refused') this.#refuse(request, response, message.problem)
    else if (expectation === 'unknown') this.#refuse(request, response, problem('expectation-failed', 'the only expectation that is met here is 100-continue'))
    else if (message.kind === 'for-us') this.#answerOptions(request, response)
    else return new HttpCall(request, response, { target: message.target, fields: message.fields, hop, expectsContinue: expectation === 'continue' }, this.#bodies, this.#options.tracer, trace)
    return null
  }

  /** Where traces are recorded each message has a span, whatever it is answered, and it ends with the answer. */
  #traceOf(request: IncomingMessage, response: ServerResponse): Traced {
    const { tracer } = this.#options
    if (!tracer.records) return 'unasked'
    const trace = tracer.receive(request.rawHeaders, request.method ?? '', request.url ?? '')
    if (trace !== null && trace.spanId !== null) response.on('close', () => endWith(trace, response))
    return trace
  }

  #proceed(call: HttpCall, request: IncomingMessage, response: ServerResponse, admitted: Admission): void {
    if (this.#options.tracer.records) call.trace?.note({ 'onceward.route': admitted.kind === 'bypass' ? admitted.route.name : admitted.route }, null)
    switch (admitted.kind) {
      case 'bypass':
        if (this.#isLate('passed')) return this.#turnAway(response, LATE, admitted.route.name)
        this.#bypass.take({ call, request, response, route: admitted.route, asked: this.#asked(call, admitted.route) }, admitted.way)
        return
      case 'refused':
        this.#options.meter.key(admitted.outcome, admitted.route, null)
        void this.#write(response, call, admitted.route, { kind: 'problem', problem: admitted.problem })
        return
      case 'guarded':
        if (this.#isLate('guarded')) {
          this.#options.meter.key('unavailable', admitted.route, null)
          return this.#turnAway(response, LATE, admitted.route)
        }
        void this.#guard(call, response, admitted)
        return
      default:
        admitted satisfies never
    }
  }

  /** A handshake has a route and no key: on a guarded route, too, it goes past the keys. */
  #receiveHandshake(request: IncomingMessage, head: Buffer): void {
    const response = responseTo(request)
    request.socket.setTimeout(0) // what a tunnel's two ends do not say for a while is their own affair
    const call = this.#read(request, response, 'nothing')
    if (call === null) return
    if (this.#isLate('passed')) return this.#turnAway(response, LATE, NO_ROUTE)
    const routed = routeOf(call, this.#options.policies.routes)
    if (this.#options.tracer.records) call.trace?.note({ 'onceward.route': routed.kind === 'route' ? routed.route.name : routed.route }, null)
    if (routed.kind === 'route') {
      void this.#bypass.switch({ call, request, response, route: routed.route, asked: this.#asked(call, routed.route) }, head)
      return
    }
    this.#options.meter.key(routed.outcome, routed.route, null)
    void this.#write(response, call, routed.route, { kind: 'problem', problem: routed.problem })
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
    // A head that is too large was perhaps not meant to be one head; only who comes at a busy time may go on.
    if (this.#draining || limit !== 'event_loop_delay') response.shouldKeepAlive = false
    this.#options.meter.limited(limit)
    writeProblem(response, because, this.#voice)
    this.#options.meter.answered(because.status, response.req.method ?? '', route)
  }

  #answerClientError(error: Error, socket: Socket): void {
    const { code = '', rawPacket }: Error & { readonly code?: string, readonly rawPacket?: Buffer } = error
    const excess = parserExcess(code, rawPacket ?? null, this.#options.limits)
    const answered = answerClientError(error, socket, this.#connections.current(socket), excess?.problem ?? null, this.#voice)
    if (answered && excess !== null) this.#options.meter.limited(excess.limit)
  }

  async #guard(call: HttpCall, response: ServerResponse, admitted: Extract<Admission, { kind: 'guarded' }>): Promise<void> {
    try {
      const writing = this.#write(response, call, admitted.route, await this.#options.handle(call, admitted))
      if (writing !== null) await writing
    } catch (error) {
      this.#fail(call, response, error)
    }
  }

  /** A defect of ours: the client learns nothing from half an answer. */
  #fail({ trace }: HttpCall, response: ServerResponse, error: unknown): void {
    this.#options.journal.error('listener.failed', { ...traceIds(trace), error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    response.destroy()
  }

  /** Before any route: no claim, and the connection ends, because what follows may not be where it seems to be. */
  #refuse(request: IncomingMessage, response: ServerResponse, because: Problem): void {
    response.shouldKeepAlive = false
    writeProblem(response, because, this.#voice)
    if (because.code === 'key-invalid') this.#options.meter.key('invalid', NO_ROUTE, null)
    this.#options.meter.answered(response.statusCode, request.method ?? '', NO_ROUTE)
  }

  #answerOptions(request: IncomingMessage, response: ServerResponse): void {
    if (this.#draining) response.shouldKeepAlive = false
    response.writeHead(204)
    response.end()
    this.#options.meter.answered(response.statusCode, request.method ?? '', NO_ROUTE)
  }

  #asked(call: HttpCall, route: Route | undefined): Asked {
    const voice = { ...this.#voice, cors: corsOf(route, call.fields) }
    return { method: call.method, takesTrailers: call.hop.httpVersion === '1.1' && takesTrailers(call.fields), voice }
  }

  #write(response: ServerResponse, call: HttpCall, route: string, answer: Answer): Promise<void> | null {
    if (call.gone()) {
      if ((answer.kind === 'fresh' || answer.kind === 'unprotected') && answer.reply.kind === 'streaming') answer.reply.body.cancel()
      return null
    }
    if (this.#draining) response.shouldKeepAlive = false
    // Only our own words need to be told to whom a web page may show them.
    const spoken = answer.kind === 'problem' || answer.kind === 'accepted' ? this.#options.policies.routes.find(({ name }) => name === route) : undefined
    const writing = writeAnswer(response, this.#asked(call, spoken), answer)
    if (answer.kind !== 'none') this.#options.meter.answered(response.statusCode, call.method, route)
    return writing
  }
}

/** Of a client that left before its answer there is no status to tell. */
function endWith(trace: Trace, { headersSent, statusCode }: ServerResponse): void {
  trace.end(headersSent ? { 'http.response.status_code': statusCode } : {}, !headersSent ? 'client-left' : statusCode >= 500 ? String(statusCode) : null)
}

function corsOf(route: Route | undefined, request: Fields): readonly string[] {
  return route === undefined ? [] : corsFields(route.cors, request)
}
