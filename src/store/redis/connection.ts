import type { Cluster, Redis } from 'ioredis'
import type { Random } from '../../core/ports.ts'
import type { Login, RedisTarget } from '../../core/redis-target.ts'

/*
 * ioredis, told to do none of what it would do by itself for somebody who needs every command to succeed: it queues
 * nothing while there is no connection, sends nothing again, and follows a cluster's redirections a few times only. It is
 * loaded here, and only if a Redis is configured.
 */

export interface ConnectionOptions {
  readonly target: RedisTarget
  /** PEM of the authorities that may have signed the servers' certificates; null: those that node trusts */
  readonly ca: string | null
  readonly random: Pick<Random, 'uniform'>
}

export type Client = Redis | Cluster

/** Long enough for TLS over a slow network; nobody waits for it, since the circuit is open meanwhile. */
const CONNECT_WITHIN_MS = 2000
/** For what ioredis says by itself, such as its greeting: a server that accepts and does not answer is left again. */
const HANDSHAKE_WITHIN_MS = 1000
/** Who does not answer does not say goodbye either. */
const DISCONNECT_WITHIN_MS = 10
const LONGEST_RECONNECT_MS = 2000

/** For commands, or for subscriptions, which are made again after each loss of the connection. */
export async function connect(options: ConnectionOptions, use: 'commands' | 'subscriptions'): Promise<Client> {
  const client = use === 'commands' ? await open(options, { enableOfflineQueue: false, maxRetriesPerRequest: 0 }) : await open(options, { enableOfflineQueue: true, maxRetriesPerRequest: null })
  client.on('error', () => undefined) // told by the circuit; without a listener ioredis writes to standard error
  client.on('node error', () => undefined)
  return client
}

async function open({ target, ca, random }: ConnectionOptions, patience: { readonly enableOfflineQueue: boolean, readonly maxRetriesPerRequest: number | null }): Promise<Client> {
  const { Cluster, Redis } = await import('ioredis')
  const tls = ca === null ? {} : { ca }
  const reconnectAfterMs = pauses(random)
  const shared = {
    ...credentials(target.login),
    ...(target.tls ? { tls } : {}),
    maxRetriesPerRequest: patience.maxRetriesPerRequest,
    connectTimeout: CONNECT_WITHIN_MS,
    commandTimeout: HANDSHAKE_WITHIN_MS,
    disconnectTimeout: DISCONNECT_WITHIN_MS,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false, // what becomes of it is nobody's to hear, and a rejection that nobody hears ends the process; see words.ts
    disableClientInfo: true,
    connectionName: 'onceward',
  }
  const single = {
    ...shared,
    enableOfflineQueue: patience.enableOfflineQueue,
    retryStrategy: reconnectAfterMs,
    reconnectOnError,
  }
  switch (target.kind) {
    case 'single': return new Redis({ ...single, ...target.server, db: target.database })
    case 'sentinel': return new Redis({
      ...single,
      db: target.database,
      name: target.master,
      sentinels: [...target.sentinels],
      sentinelRetryStrategy: reconnectAfterMs,
      sentinelCommandTimeout: HANDSHAKE_WITHIN_MS,
      failoverDetector: true,
      ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
      ...sentinelCredentials(target.sentinelLogin),
    })
    case 'cluster': return new Cluster([...target.nodes], {
      redisOptions: shared,
      enableOfflineQueue: patience.enableOfflineQueue,
      enableAutoPipelining: true,
      clusterRetryStrategy: reconnectAfterMs,
      clusterNodeRetryStrategy: reconnectAfterMs,
      maxRedirections: 3,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      retryDelayOnTryAgain: 0,
      slotsRefreshTimeout: HANDSHAKE_WITHIN_MS,
      // a certificate names the host that the URL names, so it is not to become an address before TLS sees it
      ...(target.tls ? { dnsLookup: (host: string, done: (error: null, host: string) => void): void => done(null, host) } : {}),
    })
    default: return target satisfies never
  }
}

function credentials(login: Login | null): { readonly username?: string, readonly password?: string } {
  if (login === null) return {}
  return login.user === null ? { password: login.password } : { username: login.user, password: login.password }
}

function sentinelCredentials(login: Login | null): { readonly sentinelUsername?: string, readonly sentinelPassword?: string } {
  if (login === null) return {}
  return login.user === null ? { sentinelPassword: login.password } : { sentinelUsername: login.user, sentinelPassword: login.password }
}

/** A master that has become a replica: the name or the sentinels lead elsewhere by now. */
function reconnectOnError(error: Error): boolean {
  return error.message.startsWith('READONLY')
}

/** Doubling, and jittered down to half: the processes of a fleet do not come back as one. */
function pauses(random: Pick<Random, 'uniform'>): (times: number) => number {
  return (times) => Math.ceil(Math.min(LONGEST_RECONNECT_MS, 50 * 2 ** Math.min(times, 10)) * (0.5 + random.uniform() / 2))
}
