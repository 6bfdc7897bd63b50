import type { SinkSettings } from '../core/sink-settings.ts'

/*
 * How fast a sink is delivered to. Normally as fast as it takes it. When a backlog is delivered that an outage has left, a token
 * bucket holds it back, so that the receivers' recovery is not the next outage (GitHub, October 2018: five million hook events
 * waited):
 *
 *     free --a backlog is taken that is older than `aboveMs`--> catching up --nothing waits any more--> free
 *
 * The rate is `rate` or 1.5 times the measured arrivals, whichever is more (less would never catch up), beginning at a tenth of it.
 * The bucket holds 50 ms of it. Any second at the receiver's end, into which a network presses what left in a little more than
 * one, so sees less than 1.1 times the rate; a receiver that stalls sees what is out on top, which `concurrency` bounds.
 */

const OVER_ARRIVALS = 1.5
const FIRST_PART = 0.1
const BURST_MS = 50
/** What is left of a token by rounding would else be waited for in steps that a clock cannot show. */
const SOONEST_MS = 0.5
/** Fewer old events than these are stragglers and no backlog: a lane that rested behind one poisoned event holds up nobody else. */
const BACKLOG_EVENTS = 10

/** What was seen of the events that wait. */
export interface Sighting {
  /** events that were taken and are older than `aboveMs`, of those that never failed: a failed one may be old for its own reasons */
  readonly old: number
}

export class Pace {
  readonly #settings: SinkSettings['catchUp']
  readonly #onRate: (rate: number | null) => void
  #arrivalsPerSecond = 0
  #catchUp: { rampFromMs: number, tokens: number, filledAtMs: number } | null = null

  constructor(settings: SinkSettings['catchUp'], onRate: (rate: number | null) => void) {
    this.#settings = settings
    this.#onRate = onRate
  }

  get catchingUp(): boolean {
    return this.#catchUp !== null
  }

  /** To be told before any of these events is delivered. */
  saw({ old }: Sighting, nowMs: number): void {
    if (this.#catchUp !== null || old < BACKLOG_EVENTS) return
    this.#arrivalsPerSecond = 0
    this.#catchUp = { rampFromMs: nowMs, tokens: 1, filledAtMs: nowMs }
    this.#onRate(this.rate(nowMs))
  }

  arriving(perSecond: number): void {
    this.#arrivalsPerSecond = perSecond
  }

  /** The sink was away once more: what has gathered meanwhile begins slowly, too. */
  rampAgain(nowMs: number): void {
    if (this.#catchUp !== null) this.#catchUp = { rampFromMs: nowMs, tokens: 1, filledAtMs: nowMs }
  }

  /** Nothing waits any more, as far as anybody can tell. */
  end(): void {
    if (this.#catchUp === null) return
    this.#catchUp = null
    this.#onRate(null)
  }

  /** Events a second that may leave now; Infinity if nothing is held back. */
  rate(nowMs: number): number {
    if (this.#catchUp === null) return Infinity
    const { rate, rampMs } = this.#settings
    const full = Math.max(rate, OVER_ARRIVALS * this.#arrivalsPerSecond)
    const part = rampMs > 0 ? FIRST_PART + (1 - FIRST_PART) * (nowMs - this.#catchUp.rampFromMs) / rampMs : 1
    return full * Math.min(1, part)
  }

  /** How many events may leave now. */
  room(nowMs: number): number {
    const catchUp = this.#catchUp
    if (catchUp === null) return Infinity
    const rate = this.rate(nowMs)
    // one at least: a rate below one in 50 ms would never have a whole token
    const most = Math.max(1, rate * BURST_MS / 1000)
    catchUp.tokens = Math.min(most, catchUp.tokens + rate * (nowMs - catchUp.filledAtMs) / 1000)
    catchUp.filledAtMs = nowMs
    this.#onRate(rate)
    return Math.floor(catchUp.tokens)
  }

  spend(events: number): void {
    if (this.#catchUp !== null) this.#catchUp.tokens -= events
  }

  /** How long until one more event may leave. */
  waitMs(nowMs: number): number {
    const catchUp = this.#catchUp
    if (catchUp === null || this.room(nowMs) >= 1) return 0
    return Math.max(SOONEST_MS, (1 - catchUp.tokens) / this.rate(nowMs) * 1000)
  }
}
