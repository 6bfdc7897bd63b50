import type { WaitingEvent } from './outbox.ts'

/** An event as a sink gets it: with the ordinal of this delivery, 1 for the first (as far as anybody knows). */
export interface Outgoing extends WaitingEvent {
  readonly attempt: number
}

/**
 * How one delivery ended. `cause` and `reason` go to logs, metrics and operators: they name no secret and no part of a body.
 * `blame` says what a failure is evidence of:
 *
 *     sink      the receiver is not there, or says that it is overloaded (refused connection, 429, 503): it is left alone for a
 *               while, and no event has an attempt less
 *     event     the receiver judged this event (4xx)
 *     unknown   either (a timeout, a reset, 500): several lanes in a row make it the sink's
 */
export type Delivery =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retryable', readonly cause: string, readonly blame: 'sink' | 'event' | 'unknown', readonly notBeforeMs: number | null }
  /** nothing was tried, or nothing can be said yet: it costs no attempt, says nothing about the sink, and comes again after a while */
  | { readonly kind: 'postponed', readonly cause: string, readonly afterMs: number }
  /** can never be delivered there (too large, a text that the receiver's protocol cannot carry) */
  | { readonly kind: 'refused', readonly reason: string }
  /** the receiver wants nothing any more (410): the sink pauses until somebody looks */
  | { readonly kind: 'disabled', readonly reason: string }

/** What one call of a sink takes. */
export interface SinkShape {
  readonly events: number
  /** of one lane; more than one only where their order within a call holds, whatever fails */
  readonly perLane: number
  /** payload bytes; one larger event comes alone */
  readonly bytes: number
}

export type SinkKind = 'webhook' | 'kafka' | 'sqs' | 'operations'
