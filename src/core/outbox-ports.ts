import type { Delivery, Outgoing, SinkKind, SinkShape } from './delivery.ts'
import type { OutboxEvent } from './event.ts'
import type { DeadLetter, DeadLetterFilter, EventEnd, Lead, Leadership, OutboxAct, Redriven, SinkCensus, Taken, Wanted } from './outbox.ts'
import type { KeyStore } from './ports.ts'
import type { Act, WriteOutcome } from './record.ts'
import type { ShadowStore } from './shadow.ts'

/**
 * The events that wait, in the database of the keys. A promise settles only after what it reports is durable. Every method
 * throws `StoreUnavailable` and nothing else. Times count by the store's own clock.
 */
export interface OutboxStore {
  /** Takes or renews leadership of a sink: granted if nobody leads, if the lease has ended, or to its own holder. */
  lead(sink: string, holder: string, leaseMs: number): Promise<Leadership>
  /** Ends a leadership, so that the next relay need not wait for its lease. */
  resign(lead: Lead): Promise<void>
  take(wanted: Wanted): Promise<Taken>
  /** All of them, or none and `fenced`. Rows that are not waiting any more are passed over. Calls of one tick share a transaction. */
  settle(lead: Lead, ends: readonly EventEnd[]): Promise<WriteOutcome>
  /** How far a source has been read, as `bring` wrote it; null if nobody has. */
  position(source: string): Promise<string | null>
  /**
   * Commits the events of a source's rows together with how far it has been read, in their order. `fenced`: somebody else leads, or what
   * stands there is not `from` (nor `to`, which is what a repetition finds).
   */
  bring(lead: Lead, source: string, brought: Brought): Promise<WriteOutcome>
  /** How many events of this sink were committed, or redriven, within the last `windowMs` and still wait; at most `limit` are counted. */
  arrivals(sink: string, windowMs: number, limit: number): Promise<number>
  /** One for each of `sinks`, in order, and then for every other sink that has events here. */
  census(sinks: readonly string[]): Promise<readonly SinkCensus[]>
  /** Oldest first, behind `after` (a row), at most `limit`. */
  deadLetters(filter: DeadLetterFilter, limit: number, after: number | null): Promise<readonly DeadLetter[]>
  /** Puts dead letters back to their old place in their lanes, with all their attempts ahead of them. */
  redrive(filter: DeadLetterFilter, limit: number, act: Act): Promise<Redriven>
  /**
   * Deletes dead letters; what is left of them is the audit trail's line. Returns how many. An accepted request that is thrown away frees
   * its key, if it never ran; else its doubt is for an operator to resolve, like any.
   */
  discard(filter: DeadLetterFilter, limit: number, act: Act): Promise<number>
  /** The newest `limit` acts of operators, newest first. */
  audit(limit: number): Promise<readonly OutboxAct[]>
}

/** What one look at a source's table has found. */
export interface Brought {
  /** those that stand here already, by their ids, are left out */
  readonly events: readonly OutboxEvent[]
  readonly from: string | null
  readonly to: string
}

/** Keys, events and the notes of shadowed routes in one database. Closing the keys lets go of all. */
export interface Stores {
  readonly keys: KeyStore
  readonly outbox: OutboxStore
  readonly shadow: ShadowStore
}

/** Tells the relays of all processes that events of a sink were committed; one that is not told finds them a little later. */
export interface Ringer {
  /** never throws, and is never waited for */
  ring(sink: string): void
}

/** Where events go. */
export interface Sink {
  readonly name: string
  readonly kind: SinkKind
  readonly shape: SinkShape
  /** calls of `deliver` that may be out at once; 1 where one has to end before the next begins */
  readonly atOnce: number
  /**
   * The next call only when what this one delivered is settled, or the lead is lost: for a sink with one call at a time that remembers
   * what it published no longer than that.
   */
  readonly settledFirst: boolean
  /**
   * Called when this process begins to lead, before the first delivery, and again while it leads before the first delivery after a
   * failure that was the sink's: what fenced it may have been the receiver's own impatience. Makes sure that an earlier leader publishes nothing
   * more, where the receiver can do that. Rejects with an Error whose message names no secret: then it is called again later.
   */
  begin(): Promise<void>
  /**
   * One delivery for each event, in order. Never rejects; `signal` ends it early, and then what is not known is retryable. `maySend` is asked
   * by a sink that waits before its first byte leaves, for a connection say, right before it does: after a standstill of the process the
   * signal comes later than the connection.
   */
  deliver(batch: readonly Outgoing[], signal: AbortSignal, maySend?: () => boolean): Promise<readonly Delivery[]>
  /** Lets go of connections. May be called twice. */
  close(): Promise<void>
}

/** What became of a delivery. `deferred`: failed without costing the event an attempt. */
export type DeliveryEnd = 'delivered' | 'retried' | 'deferred' | 'dead'

/** Counts of the relay. */
export interface RelayMeter {
  /** these sinks are configured: their series begin at 0 */
  sinks(names: readonly string[]): void
  delivered(sink: string, end: DeliveryEnd, events: number): void
  /** a call of the sink took this long, whatever came of it */
  took(sink: string, durationMs: number): void
  /** an event was sent again so late that the receiver may have forgotten its id */
  sentLate(sink: string, events: number): void
  /** whether this process leads */
  leads(sink: string, leads: boolean): void
  /** events a second that a catch-up is held to; null: nothing is held back */
  catchingUp(sink: string, rate: number | null): void
  /** whether deliveries pause, because the sink fails (`resting`) or wants nothing any more (`disabled`) */
  paused(sink: string, why: 'no' | 'resting' | 'disabled'): void
}
