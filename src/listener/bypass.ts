import { ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Clock, Journal, Meter, Switched } from '../core/ports.ts'
import { problem } from '../core/problem.ts'
import type { Route } from '../core/route.ts'
import { exampleOf, traceIds } from '../core/tracing.ts'
import { reliesInVain, type Way } from '../request/admit.ts'
import type { Shadow, Watched } from '../request/shadow.ts'
import type { PassedOn, PassingCall } from '../request/pass-on.ts'
import { deliver } from './deliver.ts'
import { PassThrough } from './pass-through.ts'
import { Tunnels } from './tunnel.ts'
import type { Asked } from './write-reply.ts'

export type PooledWay = Extract<Way, { readonly by: 'pool' }>

export interface BypassOptions {
  readonly origin: string
  /** for requests that go by the plugin */
  readonly pass: (call: PassingCall, route: string) => Promise<PassedOn>
  /** for those that do not */
  readonly stream: (call: PassingCall, way: PooledWay, route: string) => Promise<PassedOn>
  /** looks at what passes on shadowed routes */
  readonly shadow: Pick<Shadow, 'watch'>
  readonly askToSwitch: (call: PassingCall, protocol: string) => Promise<PassedOn | Switched>
  readonly meter: Meter
  readonly journal: Journal
  readonly clock: Clock
}

/** One request past the keys, as both ends of it are known here. */
export interface Bypassing {
  readonly call: PassingCall
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly route: Route
  /** how an answer to it is written */
  readonly asked: Asked
}

/**
 * Everything that no key hangs on: by the plugin, by our own connections, or as a websocket. Each is counted once, at
 * its end, whoever ended it.
 */
export class Bypass {
  readonly #options: BypassOptions
  readonly #draining: () => boolean
  readonly #plugin: PassThrough
  readonly #tunnels = new Tunnels()
  readonly #told = new Set<string>()

  constructor(options: BypassOptions, draining: () => boolean, server: () => Server, onUnreadable: (error: Error, socket: Socket) => void) {
    this.#options = options
    this.#draining = draining
    this.#plugin = new PassThrough(options.origin, server, onUnreadable)
  }

  get app(): FastifyInstance {
    return this.#plugin.app
  }

  take(one: Bypassing, way: Way): void {
    const { call, request, response, route } = one
    const watched = route.action.kind === 'shadow' ? this.#options.shadow.watch(call, route, route.action.policy) : null
    if (watched === null && reliesInVain(call)) this.#noteUnguarded(route.name)
    switch (way.by) {
      case 'plugin':
        this.#plugin.hand(request, response, () => void this.#answer(one, this.#options.pass(call, route.name)))
        return
      case 'pool':
        void this.#answer(one, this.#options.stream(call, way, route.name), watched)
        return
      default:
        way satisfies never
    }
  }

  /**
   * A websocket's handshake. A process that drains takes none, because a tunnel does not end by itself; those that are
   * open have the grace to be closed by their own two ends.
   */
  async switch(one: Bypassing, head: Buffer): Promise<void> {
    const { call, request: { socket }, response, route } = one
    if (this.#draining()) return this.#answer(one, Promise.resolve(STOPPING))
    try {
      const answer = await this.#options.askToSwitch(call, 'websocket')
      if (answer.kind !== 'switched') return await this.#answer(one, Promise.resolve(answer))
      response.detachSocket(socket)
      this.#tunnels.connect(socket, head, answer)
      this.#options.meter.answered(101, call.method, route.name)
      call.trace?.end({ 'http.response.status_code': 101 }, null) // the response is no part of it any more
    } catch (error) {
      this.#fail(call, response, error)
    }
  }

  async close(): Promise<void> {
    this.#tunnels.close()
    await this.#plugin.app.close()
  }

  async #answer({ call, request, response, route, asked }: Bypassing, answering: Promise<PassedOn>, watched: Watched | null = null): Promise<void> {
    const { meter, clock } = this.#options
    const startedAt = clock.monotonicMs()
    try {
      const answer = await answering
      meter.took('request', clock.monotonicMs() - startedAt, route.name, exampleOf(call.trace))
      if (this.#draining()) response.shouldKeepAlive = false
      const delivered = await deliver(request, response, asked, answer, clock)
      watched?.ended(answer, delivered)
      meter.answered(delivered, call.method, route.name)
    } catch (error) {
      watched?.lost()
      this.#fail(call, response, error)
    }
  }

  /** The line comes once per route: whoever sends keys there goes on sending them. */
  #noteUnguarded(route: string): void {
    this.#options.meter.unguarded(route)
    if (this.#told.has(route)) return
    this.#told.add(route)
    this.#options.journal.warn('route.ignores-keys', { route, detail: 'requests that change things carry an Idempotency-Key here, and the route passes them without looking at it: each of them runs' })
  }

  /** A defect of ours: half an answer must not look whole. */
  #fail({ trace }: PassingCall, response: ServerResponse, error: unknown): void {
    this.#options.journal.error('listener.failed', { ...traceIds(trace), error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    response.destroy()
  }
}

const STOPPING: PassedOn = { kind: 'problem', problem: problem('draining', 'connect again: another process, or the next one, will take the connection', { retryAfterMs: 1000 }) }

/** For a handshake node's server makes no response and lets go of the socket: an answer that is no 101 is its last. */
export function responseTo(request: IncomingMessage): ServerResponse {
  const { socket } = request
  socket.on('error', () => socket.destroy())
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.on('finish', () => socket.destroySoon())
  return response
}
