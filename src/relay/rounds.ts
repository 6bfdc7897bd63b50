import type { Clock, Journal, Random } from '../core/ports.ts'
import type { EventEnd, Taken, WaitingEvent } from '../core/outbox.ts'
import type { DeliveryEnd, OutboxStore, RelayMeter, Sink } from '../core/outbox-ports.ts'
import { Roster } from '../core/roster.ts'
import { originIds } from '../core/event-origin.ts'
import type { SinkSettings } from '../core/sink-settings.ts'
import type { Tracer } from '../core/tracing.ts'
import { DeliveredArrivals } from './arrivals.ts'
import { deliverLane, deliveryEnd } from './deliver.ts'
import { Dispatch } from './dispatch.ts'
import { lanesOf, type Lane } from './lane.ts'
import { Pace } from './pace.ts'
import { Settling } from './settling.ts'
import { SinkBreaker } from './sink-breaker.ts'
import type { Term } from './term.ts'

/*
 * The rounds of one term. A round takes the heads of lanes, from where the round before left off, and sets out; lanes of earlier rounds
 * that are still under way are passed over. There is no cursor over rows: which lane has a head is looked up each time.
 */

/** Payload bytes that a relay holds at a time, for a sink. */
const HELD_BYTES = 16 * 1024 * 1024
/** Events of a lane that are taken at a time, even if the receiver gets them one by one: a look-up for each would cost more than it. */
const AHEAD = 16
/** The window within which arrivals are counted; and how many are, at most: 20,000 a second. */
const ARRIVALS = { windowMs: 5000, limit: 100_000 } as const
/** How often, while a catch-up is on. */
const MEASURE_EVERY_MS = 2000
/**
 * What comes while the looks go on stands in lanes that were looked at already. A catch-up's rate is 1.5 times the arrivals or more, so in
 * this time no more comes than a fifth of what may leave in a second: nothing that has to be held back.
 */
const BRIEF_CYCLE_MS = 300

export type RoundCounts = Record<DeliveryEnd, number>

export interface Round {
  readonly taken: number
  /** all lanes were looked at, and none of them has anything to be delivered now */
  readonly nothingWaits: boolean
  /** then: when the first lane that rests is due */
  readonly dueInMs: number | null
  /** resolves when the lanes of this round have ended */
  readonly ended: Promise<RoundCounts>
}

export interface RoundsDependencies {
  readonly sink: Sink
  readonly settings: SinkSettings
  readonly store: Pick<OutboxStore, 'take' | 'settle' | 'arrivals'>
  readonly clock: Clock
  readonly random: Pick<Random, 'uniform'>
  readonly meter: RelayMeter
  readonly journal: Pick<Journal, 'info' | 'routine' | 'warn'>
  readonly tracer: Tracer
  readonly disabled: (reason: string) => void
  /** a lane has ended: there may be something to do */
  readonly laneEnded: () => void
  readonly defect: (error: unknown) => void
}

export class Rounds {
  readonly #deps: RoundsDependencies
  readonly #pace: Pace
  readonly #breaker: SinkBreaker
  readonly #dispatch: Dispatch
  readonly #settling: Settling
  readonly #perLane: number
  readonly #busy = new Map<string, Lane>()
  readonly #underWay = new Roster<Promise<RoundCounts>>()
  readonly #arrived = new DeliveredArrivals(ARRIVALS.windowMs)
  #heldBytes = 0
  /** what the looks since the first lane have seen */
  #cycle = { beganMs: 0, taken: 0, full: false, dueInMs: Infinity }
  #after: string | null = null
  #nothingWaited = false
  #tookAtMs = Number.NEGATIVE_INFINITY
  /** the store's clock minus our monotonic one */
  #storeAheadMs = 0
  #measuredAtMs = Number.NEGATIVE_INFINITY
  #disabled = false

  constructor(term: Term, deps: RoundsDependencies) {
    const { sink, settings, clock, random, meter, journal } = deps
    this.#deps = deps
    this.#perLane = Math.max(AHEAD, Math.min(sink.shape.perLane, settings.batch))
    this.#pace = new Pace(settings.catchUp, (rate) => meter.catchingUp(sink.name, rate))
    this.#breaker = new SinkBreaker(() => random.uniform(), (open) => this.#rests(open))
    this.#settling = new Settling(term, deps)
    this.#dispatch = new Dispatch({ sink, settings, term, breaker: this.#breaker, pace: this.#pace, clock, meter, journal, tracer: deps.tracer, disabled: (reason) => this.#disable(reason) })
  }

  /** 0 if a round makes sense now, else for how long none does; Infinity until a lane ends. `apartMs`: between rounds that bring little. */
  waitMs(apartMs: number): number {
    const now = this.#deps.clock.monotonicMs()
    if (!this.#breaker.closed && this.#dispatch.waiting > 0) return Infinity // a probe is about to leave
    const restMs = this.#breaker.waitMs(now)
    if (restMs > 0) return restMs
    const free = this.#deps.settings.lanes - this.#busy.size
    if (free <= 0 || this.#heldBytes >= HELD_BYTES) return Infinity
    const worthwhile = !this.#nothingWaited && free * 2 >= this.#deps.settings.lanes
    return worthwhile ? 0 : Math.max(0, this.#tookAtMs + apartMs - now)
  }

  /** Whether the sink has to begin anew before the next round. */
  get sinkReady(): boolean {
    return this.#breaker.ready
  }

  sinkBegun(): void {
    this.#breaker.begun()
  }

  async round(): Promise<Round> {
    const { store, settings, sink, clock } = this.#deps
    const probing = !this.#breaker.closed
    const after = this.#after
    this.#tookAtMs = clock.monotonicMs()
    if (after === null) this.#cycle = { beganMs: this.#tookAtMs, taken: 0, full: false, dueInMs: Infinity }
    const taken = await store.take({
      sink: sink.name, after, busy: [...this.#busy.keys()], bytes: HELD_BYTES - this.#heldBytes,
      lanes: probing ? 1 : settings.lanes - this.#busy.size, perLane: probing ? 1 : this.#perLane,
    })
    this.#storeAheadMs = taken.at - clock.monotonicMs()
    const lanes = lanesOf(taken.events, probing ? 1 : this.#perLane)
    this.#see(taken, lanes)
    const counts: RoundCounts = { delivered: 0, retried: 0, deferred: 0, dead: 0 }
    const ended = Promise.all(lanes.map((lane) => this.#deliver(lane, counts))).then(() => counts)
    const place = this.#underWay.enter(ended)
    void ended.then(() => this.#underWay.leave(place))
    const { taken: ofCycle, dueInMs } = this.#cycle
    this.#nothingWaited = taken.next === null && ofCycle === 0
    this.#endCycle(taken, after)
    return { taken: taken.events.length, nothingWaits: this.#nothingWaited, dueInMs: Number.isFinite(dueInMs) ? dueInMs : null, ended }
  }

  /** Starts no delivery any more. Resolves when none is out, and what became of them is written, or is not ours to write. */
  async close(): Promise<void> {
    await this.#dispatch.close()
    await Promise.all(this.#underWay)
  }

  /** Before anything of it is sent. */
  #see({ events, at, dueInMs }: Taken, lanes: readonly Lane[]): void {
    const { clock, settings } = this.#deps
    this.#cycle.taken += events.length
    this.#cycle.full ||= lanes.some(({ full }) => full)
    this.#cycle.dueInMs = Math.min(this.#cycle.dueInMs, dueInMs ?? Infinity)
    this.#pace.saw({ old: events.filter(({ committedAt, firstFailedMs }) => firstFailedMs === null && at - committedAt > settings.catchUp.aboveMs).length }, clock.monotonicMs())
    if (this.#pace.catchingUp && clock.monotonicMs() >= this.#measuredAtMs + MEASURE_EVERY_MS) void this.#measure()
  }

  /** A catch-up ends when nothing waits: all that is in hand could leave with the bucket's own burst, and no lane has more behind that. */
  #endCycle({ next }: Taken, after: string | null): void {
    this.#after = next
    if (next !== null) return
    const now = this.#deps.clock.monotonicMs()
    const lanes = [...this.#busy.values()]
    const unsent = lanes.reduce((sum, { events, sent }) => sum + events.length - sent, 0)
    const isBrief = after === null || now - this.#cycle.beganMs <= BRIEF_CYCLE_MS
    if (isBrief && !this.#cycle.full && lanes.every(({ full }) => !full) && unsent <= this.#pace.room(now)) this.#pace.end()
  }

  async #deliver(lane: Lane, counts: RoundCounts): Promise<void> {
    const { settings, random, laneEnded, defect } = this.#deps
    const bytes = lane.events.reduce((sum, { payload }) => sum + payload.byteLength, 0)
    this.#busy.set(lane.name, lane)
    this.#heldBytes += bytes
    try {
      await deliverLane(lane, {
        settings, perLane: this.#deps.sink.shape.perLane, dispatch: this.#dispatch, settling: this.#settling, breaker: this.#breaker,
        uniform: () => random.uniform(), settled: (event, end) => this.#settled(event, end, counts),
      })
    } catch (error) {
      defect(error)
    } finally {
      this.#busy.delete(lane.name)
      this.#heldBytes -= bytes
      laneEnded()
    }
  }

  #settled({ id, payload, committedAt }: WaitingEvent, end: EventEnd, counts: RoundCounts): void {
    const { sink, meter, journal, clock } = this.#deps
    const kind = deliveryEnd(end)
    counts[kind] += 1
    meter.delivered(sink.name, kind, 1)
    if (end.kind === 'delivered') this.#arrived.add(committedAt, clock.monotonicMs() + this.#storeAheadMs)
    if (end.kind === 'dead') journal.warn('delivery.dead', { sink: sink.name, event: id, cause: end.cause, blocks: String(end.blocks), ...originIds(payload) })
  }

  async #measure(): Promise<void> {
    const { store, sink, clock, journal } = this.#deps
    this.#measuredAtMs = clock.monotonicMs()
    try {
      const waiting = await store.arrivals(sink.name, ARRIVALS.windowMs, ARRIVALS.limit)
      const delivered = this.#arrived.within(clock.monotonicMs() + this.#storeAheadMs)
      this.#pace.arriving((waiting + delivered) / ARRIVALS.windowMs * 1000)
    } catch (error) {
      journal.warn('relay.interrupted', { sink: sink.name, error: error instanceof Error ? error.message : 'unknown' })
    }
  }

  #disable(reason: string): void {
    this.#disabled = true
    void this.#dispatch.close()
    this.#deps.disabled(reason)
  }

  #rests(open: boolean): void {
    const { sink, meter, journal, clock } = this.#deps
    if (this.#disabled) return // how calls end that were out says nothing about that
    meter.paused(sink.name, open ? 'resting' : 'no')
    if (open) return journal.warn('sink.rests', { sink: sink.name })
    this.#pace.rampAgain(clock.monotonicMs())
    journal.info('sink.answers', { sink: sink.name })
  }
}
