import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { corsFields } from '../core/cors.ts'
import { takesTrailers, type Fields } from '../core/headers.ts'
import type { TokenVerifier } from '../core/ports.ts'
import { problem, type Problem, type Voice } from '../core/problem.ts'
import type { Route } from '../core/route.ts'
import { admit, NO_ROUTE, routeOf, type Admission } from '../request/admit.ts'
import type { Answer, Call } from '../request/call.ts'
import { Bypass, responseTo, type BypassOptions } from './bypass.ts'
import { HeldBodies } from './held-bodies.ts'
import { Hops, type HopPolicy } from './hops.ts'
import { HttpCall } from './http-call.ts'
import { readMessage } from './read-message.ts'
import { wantsWebsocket } from './tunnel.ts'
import { Unreadable } from './unreadable.ts'
import { writeAnswer, writeProblem, type Asked } from './write-reply.ts'

export interface ListenerOptions extends BypassOptions {
  /** the routes in force, asked for once per request */
  readonly policies: { readonly routes: readonly Route[] }
  readonly tokens: TokenVerifier
  readonly hop: HopPolicy
  /** our name in Proxy-Status */
  readonly proxyName: string
  readonly heldBodiesBytes: number
  readonly handle: (call: Call, admitted: Extract<Admission, { kind: 'guarded' }>) => Promise<Answer>
}

/** What a request says that it waits for before it sends its body (RFC 9110 section 10.1.1). */
type Expectation = 'nothing' | 'continue' | 'unknown'

/** While draining, connections that fell idle are closed this often. */
const SWEEP_MS = 50

/**
 * The listener for clients. It looks at each message raw, before any framework does: what is guarded goes down flow
 * one, everything else past the keys.
 */
export class ProxyListener {
  readonly #options: ListenerOptions
  readonly #held: HeldBodies
  readonly #hops: Hops
  readonly #unreadable: Unreadable
  readonly #bypass: Bypass
  #server: Server | null = null
  #draining = false
  #cancelSweep: () => void = () => undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#held = new HeldBodies(options.heldBodiesBytes)
    this.#hops = new Hops(options.hop)
    this.#unreadable = new Unreadable(options.proxyName)
    this.#bypass = new Bypass(options, () => this.#draining, () => this.#serve(), (error, socket) => this.#unreadable.answer(error, socket))
  }

  get heldBytes(): number {
    return this.#held.bytes
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
    const server = createServer({ noDelay: true, keepAliveTimeout: 65_000, requireHostHeader: false, shouldUpgradeCallback: wantsWebsocket }, (request, response) => this.#receive(request, response, 'nothing'))
    server.on('checkContinue', (request, response) => this.#receive(request, response, 'continue'))
    server.on('checkExpectation', (request, response) => this.#receive(request, response, 'unknown'))
    server.on('upgrade', (request, _socket, head: Buffer) => this.#receiveHandshake(request, head))
    this.#unreadable.watch(server)
    // A client that closes its sending side still reads (RFC 9112 section 9.6); node would close the other side, too.
    this.#server = Object.assign(server, { httpAllowHalfOpen: true })
    return server
  }

  #receive(request: IncomingMessage, response: ServerResponse, expectation: Expectation): void {
    if (request.httpVersionMajor < 1) {
      // A request line without a version. node's parser still takes HTTP/0.9, and would read the fields behind it as the next request.
      response.destroy()
      return
    }
    this.#unreadable.saw(request, response)
    const call = this.#read(request, response, expectation)
    if (call === null) return
    const admission = admit(call, this.#options.policies.routes, this.#options.tokens)
    if (!(admission instanceof Promise)) return this.#proceed(call, request, response, admission)
    void admission
      .then((admitted) => this.#proceed(call, request, response, admitted))
      .catch((error: unknown) => this.#fail(response, error))
  }

  /** Null for a message that is answered already, because it goes no further. */
  #read(request: IncomingMessage, response: ServerResponse, expectation: Expectation): HttpCall | null {
    const hop = this.#hops.of(request)
    const message = readMessage(request, hop)
    if (message.kind === 'refused') this.#refuse(request, response, message.problem)
    else if (expectation === 'unknown') this.#refuse(request, response, problem('expectation-failed', 'the only expectation that is met here is 100-continue'))
    else if (message.kind === 'for-us') this.#answerOptions(request, response)
    else return new HttpCall(request, response, { target: message.target, fields: message.fields, hop, expectsContinue: expectation === 'continue' }, this.#held)
    return null
  }

  #proceed(call: HttpCall, request: IncomingMessage, response: ServerResponse, admitted: Admission): void {
    switch (admitted.kind) {
      case 'bypass':
        this.#bypass.take({ call, request, response, route: admitted.route, asked: this.#asked(call, admitted.route) }, admitted.way)
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

  /** A handshake has a route and no key: on a guarded route, too, it goes past the keys. */
  #receiveHandshake(request: IncomingMessage, head: Buffer): void {
    const response = responseTo(request)
    const call = this.#read(request, response, 'nothing')
    if (call === null) return
    const routed = routeOf(call, this.#options.policies.routes)
    if (routed.kind === 'route') {
      void this.#bypass.switch({ call, request, response, route: routed.route, asked: this.#asked(call, routed.route) }, head)
      return
    }
    this.#options.meter.key(routed.outcome, routed.route)
    void this.#write(response, call, routed.route, { kind: 'problem', problem: routed.problem })
  }

  async #guard(call: HttpCall, response: ServerResponse, admitted: Extract<Admission, { kind: 'guarded' }>): Promise<void> {
    try {
      const writing = this.#write(response, call, admitted.route, await this.#options.handle(call, admitted))
      if (writing !== null) await writing
    } catch (error) {
      this.#fail(response, error)
    }
  }

  /** A defect of ours: the client learns nothing from half an answer. */
  #fail(response: ServerResponse, error: unknown): void {
    this.#options.journal.error('listener.failed', { error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    response.destroy()
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

  #asked(call: HttpCall, route: Route | undefined): Asked {
    const voice: Voice = { proxy: this.#options.proxyName, cors: corsOf(route, call.fields) }
    return { method: call.method, takesTrailers: call.hop.httpVersion === '1.1' && takesTrailers(call.fields), voice }
  }

  #write(response: ServerResponse, call: HttpCall, route: string, answer: Answer): Promise<void> | null {
    if (call.gone()) {
      if (answer.kind === 'fresh' && answer.reply.kind === 'streaming') answer.reply.body.cancel()
      return null
    }
    if (this.#draining) response.shouldKeepAlive = false
    // Only our own words need to be told to whom a web page may show them.
    const spoken = answer.kind === 'problem' ? this.#options.policies.routes.find(({ name }) => name === route) : undefined
    const writing = writeAnswer(response, this.#asked(call, spoken), answer)
    if (answer.kind !== 'none') this.#options.meter.answered(response.statusCode, call.method, route)
    return writing
  }
}

function corsOf(route: Route | undefined, request: Fields): readonly string[] {
  return route === undefined ? [] : corsFields(route.cors, request)
}
