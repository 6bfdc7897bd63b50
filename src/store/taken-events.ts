import type { EventEnd, WaitingEvent } from '../core/outbox.ts'

/**
 * How many attempts the events had that this process took and did not see the end of. A settle with an unknown result is asked
 * again by the same holder, and with this a failure that was written the first time does not count twice. What it forgets
 * costs an event one attempt.
 */
export class TakenEvents {
  readonly #sinks = new Map<string, Map<number, number>>()

  took(sink: string, events: readonly WaitingEvent[]): void {
    let rows = this.#sinks.get(sink)
    if (rows === undefined) this.#sinks.set(sink, rows = new Map())
    for (const { row, attempts } of events) rows.set(row, attempts)
  }

  attemptsOf(sink: string, row: number): number | null {
    return this.#sinks.get(sink)?.get(row) ?? null
  }

  /** One that is to be delivered again stays, until it is taken again. */
  settled(sink: string, ends: readonly EventEnd[]): void {
    const rows = this.#sinks.get(sink)
    if (rows !== undefined) for (const { kind, row } of ends) if (kind !== 'retry') rows.delete(row)
  }

  /** The sink is in other hands. */
  forget(sink: string): void {
    this.#sinks.delete(sink)
  }
}
