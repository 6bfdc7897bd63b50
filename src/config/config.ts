import type { BreakerSettings } from '../core/breaker.ts'
import type { BudgetSettings } from '../core/budget.ts'
import type { KeySpace } from '../core/key-space.ts'
import type { OperationsSettings } from '../core/operations.ts'
import type { RedisTarget } from '../core/redis-target.ts'
import type { Route } from '../core/route.ts'
import type { SinkSettings } from '../core/sink-settings.ts'
import type { SourceSettings } from '../core/source-settings.ts'
import type { TracingSettings } from '../core/tracing-settings.ts'
import type { Network } from '../core/trusted-peers.ts'
import type { Address } from './addresses.ts'
import type { Document } from './schema.ts'

/** Everything that was decided before the start: defaults filled in, units counted out. */
export interface Config {
  readonly service: string
  readonly listen: Address
  /** scheme, host and port, such as `http://127.0.0.1:3000` */
  readonly upstream: { readonly origin: string }
  /** `origin`: the upstream sees its own host and port in Host, not the client's */
  readonly upstreamHost: 'preserve' | 'origin'
  readonly trust: { readonly proxies: readonly Network[], readonly forwarded: 'when-sent' | 'always' }
  readonly admin: {
    readonly listen: Address
    /** secrets, by whom they name; none: whoever reaches the address is an operator */
    readonly tokens: readonly OperatorToken[]
  }
  readonly store: {
    readonly dataDir: string
    readonly embedded: 'auto' | 'single-instance'
    /** null: the embedded store in `dataDir` */
    readonly postgres: PostgresConfig | null
    readonly redis: RedisConfig | null
    readonly sealing: readonly SealingKeyConfig[]
  }
  readonly limits: Limits
  readonly shutdownGraceMs: number
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
    /** 0 to 1 */
    readonly successes: number
    readonly format: 'auto' | 'json' | 'pretty'
  }
  /** null: nothing is recorded */
  readonly tracing: TracingSettings | null
  /** in order; the last two are the fallbacks, so that every request matches one */
  readonly routes: readonly Route[]
  /** by name; `default` is always there */
  readonly budgets: ReadonlyMap<string, BudgetSettings>
  /** null: there is none */
  readonly breaker: BreakerSettings | null
  /** in the order of the file; with secrets in them, for connections only */
  readonly sinks: readonly SinkSettings[]
  /** likewise */
  readonly sources: readonly SourceSettings[]
  /** how accepted requests are executed, if any route accepts some */
  readonly operations: OperationsSettings
  /** what the ids of the keys are made of */
  readonly keySpace: KeySpace
  readonly accept: ReadonlySet<Consent>
  /** what all of this was made of: the file with flags and variables over it, and without defaults */
  readonly written: Document
  /** what is allowed and should be known, one sentence each */
  readonly warnings: readonly string[]
}

export interface OperatorToken {
  readonly name: string
  readonly token: string
}

/** What happens only if the configuration says so in as many words. */
export type Consent = 'frees-old-keys'

export interface PostgresConfig {
  /** has the password in it and is for connections only */
  readonly url: string
  readonly connections: number
  readonly schema: string
  readonly partitions: number
  readonly migrate: 'at_start' | 'by_hand'
  readonly durability: 'replicated' | 'local' | 'none'
  readonly deadlineMs: number
  readonly prepare: boolean
}

/** `target` has the credentials in it and is for the connection only. */
export interface RedisConfig {
  readonly target: RedisTarget
  readonly caFile: string | null
  readonly keepMs: number
  readonly timeoutMs: number
}

/** The first one seals. */
export interface SealingKeyConfig {
  readonly id: string
  /** 32 bytes */
  readonly secret: Uint8Array
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
