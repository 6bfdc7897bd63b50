import type { Route } from '../core/route.ts'
import type { Address } from './addresses.ts'

/** Everything that was decided before the start: defaults filled in, units counted out. */
export interface Config {
  readonly service: string
  readonly listen: Address
  /** scheme, host and port, such as `http://127.0.0.1:3000` */
  readonly upstream: { readonly origin: string }
  readonly admin: { readonly listen: Address }
  readonly store: { readonly dataDir: string, readonly embedded: 'auto' | 'single-instance' }
  readonly limits: Limits
  readonly shutdownGraceMs: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** in order; the last two are the fallbacks, so that every request matches one */
  readonly routes: readonly Route[]
  /** what is allowed and should be known, one sentence each */
  readonly warnings: readonly string[]
}

export interface Limits {
  readonly requestBodyBytes: number
  readonly keptReplyBytes: number
  readonly heldBodiesBytes: number
  readonly upstreamConnections: number
  readonly socketWaitMs: number
  readonly connectTimeoutMs: number
  readonly headerBytes: number
  readonly headerCount: number
  readonly targetBytes: number
  readonly headerTimeMs: number
  readonly bodyTimeMs: number
  readonly idleTimeMs: number
  readonly connections: number
  readonly eventLoopDelayMs: number
}
