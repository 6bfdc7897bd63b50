import { backoffMs } from '../core/backoff.ts'
import { StoreUnavailable } from '../core/ports.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import type { Bell } from './bell.ts'
import { leadOrFollow } from './leadership.ts'
import { Nudge } from './nudge.ts'
import { Rounds, type RoundCounts, type RoundsDependencies } from './rounds.ts'
import type { Term, TermEnd } from './term.ts'

/*
 * One sink's relay in one process. Every process of a fleet has one, and one of them leads.
 *
 *     follow --granted--> begin (the sink) --> rounds, while trusted and not stopped --> resign
 *        ^                   |       ^            |  |
 *        |                   |       '--it failed-'  |
 *        '-------------------'----the term is over---'
 *
 * Rounds overlap, so that a hung receiver or a long lane delays nobody else: the next one begins when lanes are free, and passes over those
 * that are under way. When there is nothing to take, the bell, the next lane that is due, or a poll wakes it.
 */

/** Between two looks when nobody rings: with three renewals of a lease of 10 s, less than one query a second. */
const POLL_MS = 2000
/** Between rounds that only few lanes are free for: a hundred look-ups a second at most. */
const APART_MS = 10
/** Before the next try, after the store or the sink was not there. */
const AGAIN = { baseMs: 500, capMs: 15_000, jitter: 'equal' } as const

/** What the deliveries that are out may take when the relay stops; what has no end by then is sent again by the next leader. */
const STOP_GRACE_MS = 3000

export interface RelayDependencies extends Omit<RoundsDependencies, 'store' | 'random' | 'journal' | 'disabled' | 'laneEnded' | 'defect'> {
  readonly store: Pick<OutboxStore, 'lead' | 'resign' | 'take' | 'settle' | 'arrivals'>
  readonly bell: Pick<Bell, 'hear' | 'hearVacant' | 'ringVacant'>
  readonly random: { uniform(): number, token(bytes: number): string }
  readonly journal: RoundsDependencies['journal'] & { error(event: string, detail: Readonly<Record<string, string | number>>): void }
}

export class Relay {
  readonly #deps: RelayDependencies
  readonly #holder: string
  readonly #nudge: Nudge
  #living: Promise<void> | null = null
  #stopping = false
  #stopGraceMs = STOP_GRACE_MS
  #disabled = false
  #begun: Promise<boolean> | null = null

  constructor(deps: RelayDependencies) {
    this.#deps = deps
    this.#holder = deps.random.token(16)
    this.#nudge = new Nudge(deps.clock)
  }

  start(): void {
    this.#living ??= this.#live()
  }

  /** Lets the deliveries that are out end, within a grace, and gives the lead away. May be called twice; the first grace counts. */
  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    if (!this.#stopping) this.#stopGraceMs = graceMs
    this.#stopping = true
    this.#nudge.nudge()
    await this.#living
  }

  /** One round with all that it sets out, under a term of its own; null if somebody else leads. */
  async runOnce(): Promise<RoundCounts | null> {
    const term = await this.#granted()
    if (term === null) return null
    const rounds = this.#roundsOf(term)
    if (!await this.#begin(term)) return null
    try {
      const { ended } = await rounds.round()
      return await ended
    } finally {
      term.end('stopped')
    }
  }

  async #live(): Promise<void> {
    const { clock } = this.#deps
    for (let failures = 0; !this.#stopping;) {
      const beganMs = clock.monotonicMs()
      const failed = await this.#once()
      // what went well for long has nothing to do with the failures before it
      if (!failed || clock.monotonicMs() - beganMs > AGAIN.capMs) failures = 0
      if (!failed) continue
      await this.#pause(this.#againMs(failures), () => false)
      failures += 1
    }
  }

  /** A term, or a while in which somebody else leads. Whether it failed, so that the next one is not to follow at once. */
  async #once(): Promise<boolean> {
    try {
      const term = await this.#granted()
      return term !== null && await this.#lead(term) === 'defect'
    } catch (error) {
      this.#report(error)
      return true
    }
  }

  /** Null after a while in which somebody else leads. */
  #granted(): Promise<Term | null> {
    const { sink, settings: { leaseMs } } = this.#deps
    return leadOrFollow({ ...this.#deps, of: sink.name, leaseMs, holder: this.#holder, nudge: this.#nudge, follows: () => !this.#stopping && this.#living !== null })
  }

  async #lead(term: Term): Promise<TermEnd> {
    const { store, sink, clock, meter, bell, journal } = this.#deps
    meter.leads(sink.name, true)
    journal.info('relay.leads', { sink: sink.name, fence: term.lead.fence })
    const rounds = this.#roundsOf(term)
    const deaf = bell.hear(sink.name, () => this.#nudge.nudge())
    void term.over.then(() => this.#nudge.nudge())
    try {
      if (await this.#begin(term)) {
        meter.paused(sink.name, this.#disabled ? 'disabled' : 'no')
        await this.#roundAfterRound(term, rounds)
      }
    } finally {
      deaf()
      const closed = rounds.close()
      const cancel = clock.after(this.#stopGraceMs, () => term.end('stopped'))
      await Promise.race([closed, term.over])
      cancel()
      const resigns = term.trusted
      term.end('stopped')
      await closed // what was aborted has ended: the next term must not send what this one may still be sending
      // what is shown of a sink is its leader's to show
      meter.leads(sink.name, false)
      meter.paused(sink.name, 'no')
      meter.catchingUp(sink.name, null)
      journal.info('relay.leads-no-more', { sink: sink.name, fence: term.lead.fence, why: await term.over })
      if (resigns) {
        await store.resign(term.lead)
        bell.ringVacant(sink.name)
      }
    }
    return term.over
  }

  /** False if the term is over before the sink was ready. */
  async #begin(term: Term): Promise<boolean> {
    const { sink, meter } = this.#deps
    const over = term.over.then(() => false)
    for (let failures = 0; term.trusted && !this.#stopping; failures += 1) {
      // one of an earlier term proves nothing now, but two at a time would be more than a sink is made for
      if (this.#begun !== null) await Promise.race([this.#begun, over])
      if (!term.trusted || this.#begun !== null) return false
      this.#begun = this.#sinkBegins()
      if (await Promise.race([this.#begun, over])) return term.trusted
      if (!term.trusted) return false
      meter.paused(sink.name, 'resting')
      await this.#pause(this.#againMs(failures), () => !term.trusted)
    }
    return false
  }

  async #sinkBegins(): Promise<boolean> {
    const { sink, journal } = this.#deps
    try {
      await sink.begin()
      return true
    } catch (error) {
      journal.warn('sink.not-ready', { sink: sink.name, error: error instanceof Error ? error.message : 'unknown' })
      return false
    } finally {
      this.#begun = null
    }
  }

  async #roundAfterRound(term: Term, rounds: Rounds): Promise<void> {
    for (let failures = 0; term.trusted && !this.#stopping;) {
      const waitMs = this.#disabled ? Infinity : rounds.waitMs(APART_MS)
      if (waitMs > 0) {
        await this.#nudge.wait(waitMs)
        continue
      }
      if (!rounds.sinkReady) {
        if (!await this.#begin(term)) return
        rounds.sinkBegun()
      }
      try {
        const { nothingWaits, dueInMs } = await rounds.round()
        failures = 0
        if (nothingWaits) await this.#nudge.wait(Math.min(dueInMs ?? Infinity, POLL_MS * (0.75 + this.#deps.random.uniform() / 2)))
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        this.#report(error)
        await this.#pause(this.#againMs(failures), () => !term.trusted)
        failures += 1
      }
    }
  }

  #roundsOf(term: Term): Rounds {
    return new Rounds(term, {
      ...this.#deps,
      disabled: (reason) => this.#disable(reason),
      laneEnded: () => this.#nudge.nudge(),
      defect: (error) => {
        this.#report(error)
        term.end('defect')
      },
    })
  }

  /** Until somebody looks: a restart, or a reload that changes the sink, begins anew. */
  #disable(reason: string): void {
    const { sink, meter, journal } = this.#deps
    if (this.#disabled) return
    this.#disabled = true
    meter.paused(sink.name, 'disabled')
    journal.error('sink.disabled', { sink: sink.name, reason })
  }

  /** After a failure: the bell, and lanes that end, cut nothing of it short. */
  async #pause(ms: number, over: () => boolean): Promise<void> {
    const { clock } = this.#deps
    const untilMs = clock.monotonicMs() + ms
    for (let leftMs = ms; leftMs > 0 && !this.#stopping && !over(); leftMs = untilMs - clock.monotonicMs()) await this.#nudge.wait(leftMs)
  }

  #againMs(failures: number): number {
    return backoffMs(AGAIN, failures, 0, this.#deps.random.uniform())
  }

  /** A defect in here must not end a process that serves requests. */
  #report(error: unknown): void {
    const { sink, journal } = this.#deps
    if (error instanceof StoreUnavailable) journal.warn('relay.interrupted', { sink: sink.name, error: error.message })
    else journal.error('relay.defect', { sink: sink.name, error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
  }
}
