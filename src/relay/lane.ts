import type { WaitingEvent } from '../core/outbox.ts'

/** A lane whose events are in hand, from its head on. */
export interface Lane {
  readonly name: string
  readonly events: readonly WaitingEvent[]
  /** there were as many as were asked for: more may stand behind them */
  readonly full: boolean
  /** how many were given to the sink */
  sent: number
}

/** Those of a lane stand together. */
export function lanesOf(events: readonly WaitingEvent[], perLane: number): readonly Lane[] {
  const byLane = new Map<string, WaitingEvent[]>()
  for (const event of events) {
    const known = byLane.get(event.lane)
    if (known === undefined) byLane.set(event.lane, [event])
    else known.push(event)
  }
  return [...byLane].map(([name, ofLane]) => ({ name, events: ofLane, full: ofLane.length >= perLane, sent: 0 }))
}
