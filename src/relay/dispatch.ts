import type { Clock, Journal } from '../core/ports.ts'
import type { Delivery, Outgoing, SinkKind } from '../core/delivery.ts'
import type { WaitingEvent } from '../core/outbox.ts'
import type { RelayMeter, Sink } from '../core/outbox-ports.ts'
import { Roster } from '../core/roster.ts'
import type { SinkSettings } from '../core/sink-settings.ts'
import type { Lane } from './deliver.ts'
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
 */

/** After how long a receiver of this kind has forgotten an id; null where it does not by itself. SQS: its interval of deduplication. */
const FORGETS_AFTER_MS: Readonly<Record<SinkKind, number | null>> = { sqs: 300_000, webhook: null, kafka: null }

export interface Ended {
  readonly delivery: Delivery
  readonly blamed: Blamed
}

interface Handed {
  readonly lane: Lane
  readonly events: readonly WaitingEvent[]
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
  readonly meter: Pick<RelayMeter, 'sentLate' | 'took'>
  readonly journal: Pick<Journal, 'info'>
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
  #emptied: () => void = () => undefined

  constructor(deps: DispatchDependencies) {
    this.#deps = deps
    this.#calls = Math.min(deps.settings.concurrency, deps.sink.atOnce)
    this.#callEvents = Math.min(deps.settings.batch, deps.sink.shape.events)
  }

  /** How the first of these events ended, as many as went into one call; none if nothing is sent now. One hand per lane at a time. */
  send(lane: Lane, events: readonly WaitingEvent[]): Promise<readonly Ended[]> {
    return new Promise((resolve, reject) => {
      this.#handed.enter({ lane, events, told: resolve, fail: reject })
      this.#soon()
    })
  }

  /** Sends nothing more. Resolves when no call is out. */
  close(): Promise<void> {
    this.#closed = true
    this.#giveBack()
    return new Promise((resolve) => {
      this.#emptied = resolve
      if (this.#out === 0) resolve()
    })
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

  /** What goes into the next call: at least one event, however large. */
  #call(room: number): readonly Handed[] {
    const call: Handed[] = []
    let [events, bytes] = [0, 0]
    for (let first = this.#handed.first; first !== null && events < room; first = this.#handed.first) {
      const fitting = first.events.slice(0, room - events).findIndex(({ payload }) => (bytes += payload.byteLength) > this.#deps.sink.shape.bytes && (events += 1) > 1)
      void fitting
      break
    }
    return call
  }

  async #send(call: readonly Handed[]): Promise<void> {
    void call
  }
}
