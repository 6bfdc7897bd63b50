import type { Socket } from 'node:net'
import { buildConnector, Client, Pool, type Dispatcher } from 'undici'
import { StrayContinue } from '../core/stray-continue.ts'

/** The socket that a client writes to, kept so that an exchange can ask it what left. */
export interface Connection {
  socket: Socket | null
  readonly strayContinue: StrayContinue
}

/** A handler that wants to know on which connection it rides, before it starts. */
export interface Rider {
  ride(connection: Connection): void
}

export interface GuardedDispatch extends Dispatcher.DispatchOptions {
  readonly rider: Rider
}

export interface PoolOptions {
  readonly origin: string
  readonly connections: number
  readonly connectTimeoutMs: number
}

/**
 * A socket that was idle for longer may already be closed by an upstream with a short keep-alive; a request written
 * to it would come to nothing and nobody could prove it (DESIGN 4.3).
 */
const MAX_IDLE_MS = 1000

/** How long before the end of the upstream's own `Keep-Alive: timeout` hint a socket is given up. */
const HINT_MARGIN_MS = 1000

/**
 * The undici Pool behind us: one request per socket at a time (`pipelining: 1`), young sockets only, no
 * retries, and every client knows its socket. undici reads what is pending on an idle socket before it writes to it,
 * so that a FIN which has arrived is seen first.
 */
export function guardedPool(options: PoolOptions): Pool {
  return new Pool(options.origin, {
    connections: options.connections,
    pipelining: 1,
    keepAliveTimeout: MAX_IDLE_MS,
    keepAliveMaxTimeout: MAX_IDLE_MS,
    keepAliveTimeoutThreshold: HINT_MARGIN_MS,
    headersTimeout: 0, // one total deadline per attempt is kept by the flow, which undici's idle timers are not
    bodyTimeout: 0,
    connectTimeout: options.connectTimeoutMs,
    factory: (origin, settings) => new TrackedClient(origin, settings, options.connectTimeoutMs),
  })
}

class TrackedClient extends Client {
  readonly #connection: Connection

  constructor(origin: URL, settings: object, connectTimeoutMs: number) {
    const connection: Connection = { socket: null, strayContinue: new StrayContinue() }
    const connect = buildConnector({ timeout: connectTimeoutMs })
    super(origin, {
      ...settings,
      connect: (target, callback) => connect(target, (...result) => {
        connection.socket = result[0] === null ? result[1] : null
        if (connection.socket !== null) filterReads(connection.socket, connection.strayContinue)
        callback(...result)
      }),
    })
    this.#connection = connection
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (isGuarded(options)) options.rider.ride(this.#connection)
    return super.dispatch(options, handler)
  }
}

function filterReads(socket: Socket, strayContinue: StrayContinue): void {
  const read = socket.read.bind(socket)
  socket.read = (size?: number): unknown => strayContinue.filter(read(size))
}

function isGuarded(options: Dispatcher.DispatchOptions): options is GuardedDispatch {
  return 'rider' in options
}
