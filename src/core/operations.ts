import type { SinkSettings } from './sink-settings.ts'

/*
 * Accepted work: a request that is stored durably and answered 202, and executed afterwards. What waits is an event of the
 * outbox for a sink of our own:
 *
 *     request -> accept (record + event, one transaction) -> 202
 *     relay of the sink `operations` -> execute: begin -> attempts -> settle -> delivered | again later | dead letter
 *
 * Its payload is the stored request (stored-request.ts), its id the operation_ref, its lane the operation's own.
 */

/** The name of the sink that executes; no other one may have it. */
export const OPERATIONS_SINK = 'operations'

/** Where clients look an operation up. */
export const OPERATIONS_PATH = '/_onceward/operations/'

/** How accepted requests are executed; see config/operations-schema.ts. Times in milliseconds. */
export interface OperationsSettings {
  readonly concurrency: number
  readonly attempts: number
  readonly baseMs: number
  readonly capMs: number
  readonly leaseMs: number
  /** most that may wait of one identity */
  readonly quota: number
  readonly requestBodyBytes: number
  readonly longestWaitMs: number
}

/** Those that wait for their turn are in hand already: no look-up comes between one that ends and the next. */
const LANES_PER_CALL = 2
/** After an outage the upstream is not flooded: as for any sink, see config/sinks-schema.ts. */
const CATCH_UP = { aboveMs: 10_000, rate: 500, rampMs: 10_000 } as const

/** A dead letter blocks its lane, which is its operation's own. */
export function operationsSink({ concurrency, attempts, baseMs, capMs, leaseMs }: OperationsSettings): SinkSettings {
  return {
    name: OPERATIONS_SINK, receiver: { kind: 'operations' }, attempts, baseMs, capMs, onDead: 'block',
    lanes: LANES_PER_CALL * concurrency, concurrency, batch: 1, leaseMs, catchUp: CATCH_UP,
  }
}

/** Every operation has a lane of its own, and those of one identity lie together: what waits of it is a range. */
export function operationLane(owner: string, operationRef: string): string {
  return `${owner}.${operationRef}`
}

/** Between which lanes all of this owner's lie, the second one left out: no character comes between a dot and a slash. */
export function lanesOf(owner: string): [from: string, to: string] {
  return [`${owner}.`, `${owner}/`]
}

/**
 * What came of one execution.
 *
 *     completed     its reply is stored
 *     released      nothing was done; again after a while, counted against its attempts where it is not the upstream's fault at large
 *     resent        it may have been done, and the upstream honours the key: again, counted
 *     doubt         it may have been done, and somebody has to find out before anything else
 *     waiting       nothing can be said or done yet; again after a while, and no attempt is counted
 *     gone          its key is another's, or nobody's
 */
export type Executed =
  | { readonly kind: 'completed' }
  | { readonly kind: 'released', readonly cause: string, readonly blame: 'sink' | 'event', readonly notBeforeMs: number | null }
  | { readonly kind: 'resent', readonly cause: string }
  | { readonly kind: 'doubt', readonly cause: string }
  | { readonly kind: 'waiting', readonly why: Waiting, readonly againMs: number }
  | { readonly kind: 'gone' }

/** Somebody else executes it; its outcome is being found out; its route is gone or has other rules; the store does not answer; this process stops; this version cannot read it. */
export type Waiting = 'busy' | 'unsure' | 'other-rules' | 'store' | 'draining' | 'unreadable'

/** Executes one stored request. Never rejects for what the upstream or the store does. */
export interface Executor {
  execute(payload: Uint8Array): Promise<Executed>
}
