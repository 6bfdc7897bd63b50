/**
 * An event that leaves with a completion: it commits in the transaction that writes the completed record, or not at
 * all (invariant I7). `id` is the one stable id that every sink shows its receivers; `lane` orders deliveries.
 */
export interface OutboxEvent {
  readonly id: string
  readonly sink: string
  readonly lane: string
  readonly type: string
  readonly payload: Uint8Array
}
