import type { Delivery, Outgoing, SinkShape } from '../../src/core/delivery.ts'
import type { Sink } from '../../src/core/outbox-ports.ts'
import type { Test } from 'tap'

/** One event as the receiver got it. */
export interface Arrival {
  readonly id: string
  /** what the receiver keeps order by: a key, a group; two lanes never share one, and one lane never has two */
  readonly lane: string
  readonly body: Uint8Array
}

/** A sink for one test, and the real receiver behind it. */
export interface OpenSink {
  readonly sink: Sink
  /** all that has arrived, in order; waits until it is at least so many */
  readonly arrivals: (count: number) => Promise<readonly Arrival[]>
  /** from now on connections to the receiver are refused */
  readonly shut: () => Promise<void>
  /** from now on the receiver takes connections and bytes, and says nothing */
  readonly silence: () => Promise<void>
  /** payload bytes that this receiver can never take; null if it has no bound */
  readonly tooLarge: number | null
  /** it refuses characters beyond U+FFFF, as an emulator may: left out then, and to be tested elsewhere */
  readonly narrow?: true
  /** words of its configuration that nobody may be shown */
  readonly secrets: readonly string[]
}

export interface SinkHarness {
  open(t: Test, timeoutMs: number): Promise<OpenSink>
}

let rows = 0

/** An event with an id of its own. */
export function outgoing(lane: string, data: unknown = {}, changes: Partial<Outgoing> = {}): Outgoing {
  rows += 1
  const id = changes.id ?? `evt_${`op-${rows}-${process.pid}`.padEnd(22, '_')}`
  const type = changes.type ?? 'charge.created'
  const payload = Buffer.from(JSON.stringify({ specversion: '1.0', id, source: 'urn:onceward:payments', type, time: '2026-03-01T12:00:00.000Z', datacontenttype: 'application/json', partitionkey: lane, data }))
  return { row: rows, id, lane, type, payload, committedAt: Date.parse('2026-03-01T12:00:00Z'), attempts: 0, firstFailedMs: null, attempt: 1, ...changes }
}

/** The next calls that a relay may make for these events: as many as the shape allows, and in order inside a lane. */
export function callsFor(events: readonly Outgoing[], shape: SinkShape): Outgoing[][] {
  const calls: Outgoing[][] = []
  for (let left = [...events]; left.length > 0;) {
    const call: Outgoing[] = []
    const later: Outgoing[] = []
    let bytes = 0
    for (const event of left) {
      const fits = call.length === 0 || bytes + event.payload.length <= shape.bytes
      const ofLane = call.filter(({ lane }) => lane === event.lane).length
      const overtakes = later.some(({ lane }) => lane === event.lane)
      if (call.length < shape.events && ofLane < shape.perLane && fits && !overtakes) {
        call.push(event)
        bytes += event.payload.length
      } else {
        later.push(event)
      }
    }
    calls.push(call)
    left = later
  }
  return calls
}

/** One call after the other; the ends in the order of the events. */
export async function deliverAll(sink: Sink, events: readonly Outgoing[], signal: AbortSignal = new AbortController().signal): Promise<Delivery[]> {
  const ends = new Map<number, Delivery>()
  for (const call of callsFor(events, sink.shape)) {
    const deliveries = await sink.deliver(call, signal)
    if (deliveries.length !== call.length) throw new Error(`${call.length} events went in and ${deliveries.length} ends came out`)
    for (const [at, delivery] of deliveries.entries()) ends.set(call[at]?.row ?? -1, delivery)
  }
  return events.map(({ row }) => ends.get(row) ?? { kind: 'refused', reason: 'never delivered' })
}
