import type { Clock, Journal } from '../core/ports.ts'
import type { Delivery, Outgoing } from '../core/delivery.ts'
import type { WaitingEvent } from '../core/outbox.ts'
import { originOf } from '../core/event-origin.ts'
import type { RelayMeter, Sink } from '../core/outbox-ports.ts'
import { Roster } from '../core/roster.ts'
import type { SinkSettings } from '../core/sink-settings.ts'
import type { Trace, Tracer } from '../core/tracing.ts'
import type { Lane } from './lane.ts'
import type { Pace } from './pace.ts'
import type { Blamed, SinkBreaker } from './sink-breaker.ts'
import type { Term } from './term.ts'

/*
 * Lanes hand in their next events; calls of the sink are made of what several lanes have handed in, in the order in which they did.
 *
 *     handed in --room at the receiver (calls), in the pace (events), in the call (events, bytes)--> sent --> told how each ended
 *         '-----nothing is sent now: the term is over, the sink pauses or is closed-----> given back, unsent
 *
 * A call takes as much as it may of what waits at that moment, and waits for nothing: where calls are slow, the next one is fuller.
 * A sink that remembers only its last call gets the next one when what became of this one is written down (core/outbox-ports.ts).
 */

export interface Ended {
  readonly delivery: Delivery
  readonly blamed: Blamed
}

interface Handed {
  readonly lane: Lane
  readonly events: readonly WaitingEvent[]
  /** settles when what the lane was told is written down, or will never be */
  readonly written: Promise<void>
  readonly told: (ended: readonly Ended[]) => void
  readonly fail: (defect: unknown) => void
}

export interface DispatchDependencies {
  readonly sink: Sink
  readonly settings: Pick<SinkSettings, 'batch' | 'concurrency'>
  readonly term: Pick<Term, 'trusted' | 'signal'>
  readonly breaker: SinkBreaker
  readonly pace: Pace
  readonly clock: Clock
  readonly meter: Pick<RelayMeter, 'took'>
  readonly journal: Pick<Journal, 'info' | 'routine'>
  readonly tracer: Tracer
  /** the receiver wants nothing any more */
  readonly disabled: (reason: string) => void
}

export class Dispatch {
  readonly #deps: DispatchDependencies
  readonly #calls: number
  readonly #callEvents: number
  readonly #handed = new Roster<Handed>()
  #out = 0
  #closed = false
  #due = false
  #cancelPace: (() => void) | null = null
  readonly #emptied = Promise.withResolvers<void>()

  constructor(deps: DispatchDependencies) {
    this.#deps = deps
    this.#calls = Math.min(deps.settings.concurrency, deps.sink.atOnce)
    this.#callEvents = Math.min(deps.settings.batch, deps.sink.shape.events)
  }

  /** lanes whose events are in hand and not sent */
  get waiting(): number {
    return this.#handed.size
  }

  /**
   * How the first of these events ended, as many as went into one call; none if nothing is sent now. One hand per lane at a time.
   * `written` never rejects: see Handed.
   */
  send(lane: Lane, events: readonly WaitingEvent[], written: Promise<void>): Promise<readonly Ended[]> {
    return new Promise((resolve, reject) => {
      this.#handed.enter({ lane, events, written, told: resolve, fail: reject })
      this.#soon()
    })
  }

  /** Sends nothing more. Resolves when no call is out. */
  close(): Promise<void> {
    this.#closed = true
    this.#giveBack()
    if (this.#out === 0) this.#emptied.resolve()
    return this.#emptied.promise
  }

  /** In a turn of its own, so that calls are made of all that lanes hand in within this one. */
  #soon(): void {
    if (this.#due) return
    this.#due = true
    queueMicrotask(() => {
      this.#due = false
      this.#pump()
    })
  }

  #pump(): void {
    const { term, pace, breaker, clock } = this.#deps
    while (this.#handed.size > 0 && this.#out < this.#calls) {
      const now = clock.monotonicMs()
      if (this.#closed || !term.trusted || breaker.waitMs(now) > 0) return this.#giveBack()
      const room = pace.room(now)
      if (room < 1) return this.#pumpAfter(pace.waitMs(now))
      const call = this.#call(Math.min(room, breaker.admit(now), this.#callEvents))
      pace.spend(call.reduce((sum, { events }) => sum + events.length, 0))
      void this.#send(call)
    }
  }

  #pumpAfter(ms: number): void {
    this.#cancelPace ??= this.#deps.clock.after(ms, () => {
      this.#cancelPace = null
      this.#pump()
    })
  }

  #giveBack(): void {
    this.#cancelPace?.()
    this.#cancelPace = null
    for (let handed = this.#handed.shift(); handed !== null; handed = this.#handed.shift()) handed.told([])
  }

  /** What goes into the next call: of each lane what still fits, and at least one event, however large. */
  #call(room: number): readonly Handed[] {
    const call: Handed[] = []
    let [events, bytes] = [0, 0]
    for (let next = this.#handed.first; next !== null && events < room; next = this.#handed.first) {
      const fitting = next.events.slice(0, room - events).filter(({ payload }, i) => {
        bytes += payload.byteLength // what did not fit keeps those behind it out
        return bytes <= this.#deps.sink.shape.bytes || events + i === 0
      })
      if (fitting.length === 0) break
      this.#handed.shift()
      call.push({ ...next, events: fitting })
      next.lane.sent += fitting.length
      events += fitting.length
    }
    return call
  }

  async #send(call: readonly Handed[]): Promise<void> {
    const { sink, term, clock, meter } = this.#deps
    const startedAt = clock.monotonicMs()
    this.#out += 1
    const batch = call.flatMap(({ events }) => events).map((event) => ({ ...event, attempt: event.attempts + 1 }))
    const trace = this.#traceOf(batch)
    try {
      const deliveries = await sink.deliver(batch, term.signal, () => term.trusted)
      const durationMs = clock.monotonicMs() - startedAt
      meter.took(sink.name, durationMs)
      this.#tell(batch, deliveries, durationMs, trace)
      const ended = this.#ended(batch, deliveries)
      let from = 0
      for (const { events, told } of call) told(ended.slice(from, from += events.length))
      if (sink.settledFirst) await Promise.all(call.map(({ written }) => written))
    } catch (defect) {
      trace?.end({}, 'defect')
      for (const { fail } of call) fail(defect)
    } finally {
      this.#out -= 1
      if (this.#closed && this.#out === 0) this.#emptied.resolve()
      this.#soon()
    }
  }

  #ended(batch: readonly Outgoing[], deliveries: readonly Delivery[]): readonly Ended[] {
    if (deliveries.length !== batch.length) throw new Error(`the sink ${this.#deps.sink.name} told of ${deliveries.length} deliveries, not of ${batch.length}`)
    const now = this.#deps.clock.monotonicMs()
    return batch.map(({ lane }, i) => {
      const delivery = deliveries[i] ?? { kind: 'refused', reason: 'not told of' }
      const blamed = this.#deps.breaker.note(lane, delivery, now)
      if (delivery.kind === 'disabled') this.#deps.disabled(delivery.reason)
      return { delivery, blamed }
    })
  }

  /** What was accepted is executed in its own trace (request/execute.ts): here it is only handed over. */
  #traceOf(batch: readonly Outgoing[]): Trace | null {
    const { tracer, sink } = this.#deps
    if (!tracer.records || sink.kind === 'operations') return null
    return tracer.deliver(batch.flatMap(({ payload }) => originOf(payload) ?? []), { sink: sink.name, kind: sink.kind, events: batch.length })
  }

  /** The one line per call. No lane: it may be somebody's name. */
  #tell(batch: readonly Outgoing[], deliveries: readonly Delivery[], durationMs: number, trace: Trace | null): void {
    const failed = deliveries.findIndex(({ kind }) => kind !== 'delivered')
    const shown = batch[Math.max(0, failed)]
    const failure = deliveries[failed]
    const delivered = deliveries.filter(({ kind }) => kind === 'delivered').length
    const origin = shown === undefined ? null : originOf(shown.payload)
    const line = {
      sink: this.#deps.sink.name, events: batch.length, delivered,
      event: shown?.id ?? '', attempt: shown?.attempt ?? 0, durationMs: Math.round(durationMs),
      ...(failure === undefined ? {} : { end: failure.kind, cause: causeOf(failure) }),
      ...(origin === null ? {} : { trace_id: origin.traceId, span_id: origin.spanId }),
      ...(trace === null ? {} : { delivery_trace_id: trace.traceId }),
    }
    trace?.end({ 'onceward.delivered': delivered }, failure?.kind ?? null)
    if (failure === undefined && batch.every(({ attempt }) => attempt === 1)) this.#deps.journal.routine('delivery.attempted', line, origin?.traceId ?? null)
    else this.#deps.journal.info('delivery.attempted', line)
  }
}

function causeOf(delivery: Delivery): string {
  switch (delivery.kind) {
    case 'delivered': return ''
    case 'retryable':
    case 'postponed': return delivery.cause
    case 'refused':
    case 'disabled': return delivery.reason
    default: return delivery satisfies never
  }
}
