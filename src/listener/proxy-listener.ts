import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Route } from '../core/route.ts'
import { admit, routeOf, type Admission } from '../request/admit.ts'
import type { Answer, Call } from '../request/call.ts'
import { Bypass, responseTo, type BypassOptions } from './bypass.ts'
import { HeldBodies } from './held-bodies.ts'
import { HttpCall } from './http-call.ts'
import { wantsWebsocket } from './tunnel.ts'
import { writeAnswer } from './write-reply.ts'

export interface ListenerOptions extends BypassOptions {
  readonly routes: readonly Route[]
  readonly heldBodiesBytes: number
  readonly handle: (call: Call, admitted: Extract<Admission, { kind: 'guarded' }>) => Promise<Answer>
}

/** While draining, connections that fell idle are closed this often. */
const SWEEP_MS = 50

/**
 * The listener for clients. It looks at each message raw, before any framework does: what is guarded goes down flow
 * one, everything else past the keys.
 */
export class ProxyListener {
  readonly #options: ListenerOptions
  readonly #held: HeldBodies
  readonly #bypass: Bypass
  #server: Server | null = null
  #draining = false
  #cancelSweep: () => void = () => undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#held = new HeldBodies(options.heldBodiesBytes)
    this.#bypass = new Bypass(options, () => this.#draining, () => {
      const server = createServer({ noDelay: true, keepAliveTimeout: 65_000, shouldUpgradeCallback: wantsWebsocket }, (request, response) => this.#receive(request, response))
      server.on('upgrade', (request, _socket, head: Buffer) => this.#receiveHandshake(request, head))
      this.#server = server
      return server
    })
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

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const call = new HttpCall(request, response, this.#held)
    const admitted = admit(call, this.#options.routes)
    switch (admitted.kind) {
      case 'bypass':
        this.#bypass.take({ call, request, response, route: admitted.route }, admitted.way)
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
    const call = new HttpCall(request, response, this.#held)
    const routed = routeOf(call, this.#options.routes)
    if (routed.kind === 'route') {
      void this.#bypass.switch({ call, request, response, route: routed.route }, head)
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
}
