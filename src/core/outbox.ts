import type { Act } from './record.ts'

/*
 * What happens to an event between its commit and its delivery. Every outbox store implements this, and
 * test/contract/outbox-store.ts is its specification in executable form.
 *
 *     (none) --committed with a completion--> waiting --delivered--> (none)
 *        |                                     |  ^ \--retry: stays, and its lane rests until it is due
 *        |                                     |  '----- redrive -----.
 *        '--committed with a flaw--> dead <----'--dead-->  dead  -----'
 *                                      '--discard--> (none)
 *
 * One relay at a time delivers for a sink: it leads under a lease row with a fence, and what it settles is written only while
 * that fence stands. Inside a lane events leave in the order of their rows: B has the higher row if B's request arrived after
 * A's answer left. There is no cursor over rows: what is delivered is deleted, and the heads of the lanes are looked up again
 * each time, so that a row that commits late is passed over by nobody.
 */

/** Leadership of one sink: what its relay writes is written while this stands. The fence rises with every change of hands. */
export interface Lead {
  readonly sink: string
  readonly holder: string
  readonly fence: number
}

export type Leadership =
  | { readonly kind: 'leading', readonly lead: Lead }
  /** somebody else leads; their lease ends after this, unless it is renewed */
  | { readonly kind: 'following', readonly againMs: number }

/** One failed delivery. Times are milliseconds since the epoch by the store's clock. */
export interface Failure {
  readonly at: number
  readonly cause: string
}

/** An event whose turn it may be. */
export interface WaitingEvent {
  /** its place in the order of the sink's events; unique in the store, and never used twice */
  readonly row: number
  readonly id: string
  readonly lane: string
  readonly type: string
  readonly payload: Uint8Array
  /** milliseconds since the epoch by the store's clock */
  readonly committedAt: number
  /** failed deliveries that count */
  readonly attempts: number
  /** how long ago its first delivery failed; null if none did. For receivers that forget ids after some time */
  readonly firstFailedMs: number | null
}

/** Heads of lanes, and what stands behind them. */
export interface Wanted {
  readonly sink: string
  /** looks at lanes behind this one, in the store's order of lanes; null begins at the first */
  readonly after: string | null
  readonly lanes: number
  /** events of one lane at most, from its head on */
  readonly perLane: number
  /** payload bytes of all together; the first event comes whatever its size */
  readonly bytes: number
  /** lanes that are being delivered: passed over */
  readonly busy: readonly string[]
}

export interface Taken {
  /** those of a lane stand together, in the order of their rows */
  readonly events: readonly WaitingEvent[]
  /** the store's clock when it looked, in milliseconds since the epoch: how old the events are can be told by it alone */
  readonly at: number
  /** where to go on; null: there is no lane behind those that were looked at */
  readonly next: string | null
  /** the shortest time after which the head of a lane that was looked at, and rests, is due; null if none rests */
  readonly dueInMs: number | null
}

/** How one delivery ended. `cause` names no secret and no part of a body. */
export type EventEnd =
  | { readonly kind: 'delivered', readonly row: number }
  /** its lane rests for `afterMs`; `counted`: against the attempts that it has */
  | { readonly kind: 'retry', readonly row: number, readonly cause: string, readonly afterMs: number, readonly counted: boolean }
  /** `blocks`: nothing of its lane is delivered until somebody has dealt with it */
  | { readonly kind: 'dead', readonly row: number, readonly cause: string, readonly blocks: boolean }

/** An event that was given up, or never could be built: it stays until somebody deals with it. */
export interface DeadLetter {
  readonly row: number
  readonly id: string
  readonly sink: string
  readonly lane: string
  readonly type: string
  readonly payload: Uint8Array
  readonly committedAt: number
  readonly deadAt: number
  readonly attempts: number
  readonly cause: string
  /** the last ten failures, oldest first */
  readonly history: readonly Failure[]
  /** it had a flaw: there is nothing to deliver, and a redrive leaves it where it is */
  readonly unbuilt: boolean
  readonly blocks: boolean
}

/** Null matches everything. */
export interface DeadLetterFilter {
  readonly id: string | null
  readonly sink: string | null
  readonly lane: string | null
  readonly type: string | null
}

/** What became of the dead letters that a filter names. */
export interface Redriven {
  /** the oldest ones, at most as many as were asked for */
  readonly redriven: number
  /** could never be built: left where they are, and in nobody's way; at most as many are counted as were asked for */
  readonly unbuilt: number
}

/** One line of the outbox's audit trail. */
export interface OutboxAct extends Act {
  readonly at: number
  readonly verb: 'redrive' | 'discard'
  readonly event: string
  readonly sink: string
  readonly lane: string
  readonly type: string
  /** why it was dead */
  readonly cause: string
}

/** The gauges' source. */
export interface SinkCensus {
  readonly sink: string
  /** age of the oldest event that waits, in ms; 0 if none does. A redriven one counts from its redrive */
  readonly lagMs: number
  readonly dead: number
}
