import type { Step } from '../../src/core/ports.ts'

/*
 * What the processes of a trial say to each other. The campaign forks an upstream and, one after the other, the
 * sidecar's lives; orders travel as JSON in argv, everything later over the IPC channel. What must survive a kill
 * (the ledger, the death note) is a file.
 */

export const STEPS = ['before-claim', 'after-claim', 'before-attempt', 'after-attempt', 'before-settle', 'after-settle', 'before-answer'] as const satisfies readonly Step[]

export const WRITES = ['claim', 'complete', 'abandon', 'release'] as const
export type Write = typeof WRITES[number]

/** Where the sidecar of a life ends itself with SIGKILL: at the n-th arrival at a step, or with the n-th write just handed to the store. */
export type Suicide =
  | { readonly at: 'step', readonly step: Step, readonly nth: number }
  | { readonly at: 'write', readonly write: Write, readonly nth: number, readonly delayMs: number }

/** Bugs that are planted to see the campaign fail. */
export const BUGS = ['no-fence', 'answer-before-settle', 'release-on-reset', 'send-before-claim'] as const
/** Those of a store that is shared and has a cache before it: see stores/sabotage.ts. */
export const STORE_BUGS = ['unknown-is-no', 'unknown-is-yes', 'deaf-to-notices', 'redis-decides'] as const
export type StoreBug = typeof STORE_BUGS[number]
export type Bug = typeof BUGS[number] | StoreBug

export interface SidecarOrder {
  readonly yaml: string
  /** 2: a second replica in the same process, with flights of its own, over the first one's store */
  readonly replicas: 1 | 2
  /** for the second replica's own, unused store */
  readonly scratchDir: string
  readonly logFile: string
  /** written before the process ends itself, so that everybody can see where it died */
  readonly deathNote: string
  readonly suicide: Suicide | null
  /** the first flight to arrive at this step waits there until it is told to go on */
  readonly stallAt: Step | null
  readonly renewals: 'kept' | 'suppressed'
  /** share of store calls that fail, by turns before the write and after it */
  readonly storeFaults: { readonly share: number, readonly seed: number }
  readonly bug: Bug | null
}

export type ToSidecar =
  | { readonly kind: 'go-on' }
  | { readonly kind: 'resolve', readonly key: string, readonly as: 'completed' | 'not-executed', readonly body: string }

export type FromSidecar =
  | { readonly kind: 'ready', readonly addresses: readonly string[] }
  | { readonly kind: 'stalled' }
  | { readonly kind: 'resolved', readonly outcome: string }
  | { readonly kind: 'failed', readonly error: string }

/** What the upstream does with one arrival. Those of `REFUSALS` say so in a way that a proxy may believe. */
export const BEHAVIOURS = [
  'answer', 'slow', 'overdue', 'hang', 'streamed',
  'reset-before-work', 'reset-after-work', 'reset-in-reply',
  'error-500', 'gateway-502', 'gateway-502-after-work',
  'refuse-503', 'refuse-429', 'refuse-401',
] as const
export type Behaviour = typeof BEHAVIOURS[number]

export const REFUSALS: ReadonlySet<Behaviour> = new Set<Behaviour>(['refuse-503', 'refuse-429', 'refuse-401'])

export type Weights = Partial<Readonly<Record<Behaviour, number>>>

export interface UpstreamOrder {
  readonly ledger: string
  readonly seed: number
  readonly weights: Weights
  /** every arrival waits until it is told how to behave */
  readonly gated: boolean
}

export type ToUpstream =
  | { readonly kind: 'heal' }
  | { readonly kind: 'open', readonly key: string, readonly nth: number, readonly as: Behaviour }

export type FromUpstream =
  | { readonly kind: 'listening', readonly origin: string }
  | { readonly kind: 'arrived', readonly key: string, readonly nth: number }

/** One line of the upstream's append-only file. `nth` counts the arrivals of a key. */
export type LedgerLine =
  | { readonly at: 'arrived', readonly key: string, readonly nth: number, readonly bodyHash: string }
  | { readonly at: 'refused', readonly key: string, readonly nth: number }
  | { readonly at: 'executed', readonly key: string, readonly nth: number, readonly bodyHash: string, readonly status: number, readonly replyHash: string }

export const PATHS = { hold: '/hold/charges', wait: '/wait/charges', resend: '/resend/charges' } as const
export type RouteName = keyof typeof PATHS

export const CREDENTIAL = 'Bearer chaos'
