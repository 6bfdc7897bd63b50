import { storableText } from './storable-text.ts'

/**
 * An event that leaves with a completion: it commits in the transaction that writes the completed record, or not at
 * all (invariant I7). `id` is the one stable id that every sink shows its receivers; `lane` orders deliveries.
 */
export interface OutboxEvent {
  readonly id: string
  readonly sink: string
  readonly lane: string
  readonly type: string
  /** a CloudEvent in JSON; as much of one as could be built, if there is a flaw */
  readonly payload: Uint8Array
  /** why it could not be built: then it is committed as a dead letter, and never fails the completion; null for a sound one */
  readonly flaw: string | null
}

/** With texts that every store can keep: an odd lane must not fail the completion that it leaves with. */
export function storableEvent(event: OutboxEvent): OutboxEvent {
  const { lane, type, flaw } = event
  return { ...event, lane: storableText(lane), type: storableText(type), flaw: flaw === null ? null : storableText(flaw) }
}
