import type { DeadLetter, DeadLetterFilter, EventEnd, OutboxAct, Redriven, SinkCensus, WaitingEvent } from '../../core/outbox.ts'
import type { Act } from '../../core/record.ts'

/* What the outbox says across the threads; payloads travel among the bodies, and a number is a payload's place there, see wire.ts. */

export type WiredEvent = [id: string, sink: string, lane: string, type: string, payload: number, flaw: string | null]

export type OutboxCall =
  | ['lead', sink: string, holder: string, leaseMs: number]
  | ['resign', sink: string, holder: string, fence: number]
  | ['take', sink: string, after: string | null, lanes: number, perLane: number, bytes: number, busy: readonly string[]]
  /** `before`: what taken-events.ts knows of each */
  | ['settle-events', sink: string, holder: string, fence: number, ends: readonly EventEnd[], before: (number | null)[]]
  | ['position', source: string]
  | ['bring', sink: string, holder: string, fence: number, source: string, from: string | null, to: string, events: WiredEvent[]]
  | ['arrivals', sink: string, windowMs: number, limit: number]
  | ['outbox-census', sinks: readonly string[]]
  | ['dead-letters', filter: DeadLetterFilter, limit: number, after: number]
  | ['redrive', filter: DeadLetterFilter, limit: number, act: Act]
  | ['discard', filter: DeadLetterFilter, limit: number, act: Act]
  | ['outbox-audit', limit: number]

export type OutboxAnswer =
  | ['leading', fence: number]
  | ['following', againMs: number]
  | ['position', position: string | null]
  | ['taken', events: (readonly [Omit<WaitingEvent, 'payload'>, payload: number])[], at: number, next: string | null, dueInMs: number | null]
  | ['sinks', sinks: SinkCensus[]]
  | ['letters', letters: (readonly [Omit<DeadLetter, 'payload'>, payload: number])[]]
  | ['redriven', redriven: Redriven]
  | ['acts', acts: OutboxAct[]]
