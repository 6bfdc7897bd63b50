import { backoffMs } from '../core/backoff.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import { StoreUnavailable, type Clock, type Journal, type Random } from '../core/ports.ts'
import { hasComeBelow, judgePage, positionText, readPosition, type Gap, type Judgement, type Page, type Position } from '../core/source.ts'
import { sourceEvent } from '../core/source-event.ts'
import { SourceTrouble, type SourceMeter, type SourceTable } from '../core/source-ports.ts'
import type { SourceRow, SourceSettings } from '../core/source-settings.ts'
import type { Bell } from './bell.ts'
import { leadOrFollow } from './leadership.ts'
import { Nudge } from './nudge.ts'
import type { Term } from './term.ts'

/*
 * Brings the rows of an application's own outbox table into ours. Every process of a fleet has one such reader for each source, and one of
 * them leads, under a lease as relays have it.
 *
 *     follow --granted--> where does reading stand? --> look --> judge --> commit events and position, in one transaction --> look ...
 *        ^                                               '--trouble of the table or the store--> pause, with jitter, and look again
 *        '------------- the term is over, or somebody else has read on (fenced) -----------------------------'
 *
 * Each row becomes an event exactly once: whoever dies between look and commit leaves the position where it was, and a commit whose result is
 * unknown is repeated from the same position, which finds that it has moved.
 */

export interface SourceDependencies {
  readonly settings: SourceSettings
  readonly table: SourceTable
  readonly service: string
  readonly store: Pick<OutboxStore, 'lead' | 'resign' | 'position' | 'bring'>
  readonly bell: Pick<Bell, 'ring' | 'hearVacant' | 'ringVacant'>
  readonly clock: Clock
  readonly random: Pick<Random, 'uniform' | 'token'>
  readonly meter: SourceMeter
  readonly journal: Pick<Journal, 'info' | 'warn' | 'error'>
}

/** After a failure: of the application's database, or of our store. */
const AGAIN = { baseMs: 500, capMs: 15_000, jitter: 'equal' } as const
/** While something missing holds up what is above it, it is looked for sooner; the longer it takes, the less often, since each look reads what is held up. */
const HELD_POLL_MS = 40

/** What one look has done; `more`: there is no reason to wait before the next one. */
export interface Looked {
  readonly taken: number
  readonly held: number
  readonly more: boolean
}

export class SourceReader {
  readonly #deps: SourceDependencies
  readonly #holder: string
  readonly #nudge: Nudge
  #living: Promise<void> | null = null
  #stopping = false
  /** where reading stands by the store, as text and as what it says; null: to be asked for */
  #stands: { readonly text: string | null, readonly position: Position } | null = null
  #held: readonly Gap[] = []
  /** looks in a row that found something missing, and nothing to take */
  #vainLooks = 0
  /** the largest number of the look before; null: there was none */
  #newest: bigint | null = null
  /** what was told of this term, and is not to be told with every look */
  #told = { crowded: false, below: false }
  #trouble: string | null = null
  /** since when there has been something to take that was not taken; null: there is nothing, or somebody else reads */
  #behindSinceMs: number | null

  constructor(deps: SourceDependencies) {
    this.#deps = deps
    this.#holder = deps.random.token(16)
    this.#nudge = new Nudge(deps.clock)
    this.#behindSinceMs = deps.clock.monotonicMs()
  }

  /** For how long something has been waiting to be taken, or nobody could look; 0 where somebody else reads. */
  get lagMs(): number {
    return this.#behindSinceMs === null ? 0 : this.#deps.clock.monotonicMs() - this.#behindSinceMs
  }

  start(): void {
    this.#living ??= this.#live()
  }

  /** What was read is committed; nothing more is read, and a look that is out is ended. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#deps.table.close()
    this.#nudge.nudge()
    await this.#living
  }

  /** One look under this term; 'over' if somebody else leads, or has read on. Rejects with StoreUnavailable or SourceTrouble. */
  async look(term: Term): Promise<Looked | 'over'> {
    const { settings, table, store, service, bell, meter, clock } = this.#deps
    const { text, position } = this.#stands ??= await this.#standing()
    const askedMs = clock.monotonicMs()
    const page = await table.read(position)
    const judged = judgePage(position, this.#held, page, { askedMs, answeredMs: clock.monotonicMs() }, settings)
    const events = judged.taken.map((row) => sourceEvent(row, settings, { service, timeMs: page.at }))
    const next = positionText(judged.position)
    if (next !== text) {
      if (!term.trusted) return 'over'
      if (await store.bring(term.lead, settings.name, { events, from: text, to: next }) === 'fenced') return 'over'
      if (events.length > 0) bell.ring(settings.sink)
      this.#count(page.late.length, events)
    }
    this.#stands = { text: next, position: judged.position } // ages too, which no text has
    this.#held = judged.held
    this.#behindSinceMs = earliest(page.isCut.above ? this.#behindSinceMs ?? askedMs : null, judged.held[0]?.noticedAtMs ?? null)
    meter.stands(settings.name, { position: judged.position, held: judged.held })
    this.#tell(page, judged)
    return { taken: events.length, held: judged.held.length, more: (page.isCut.above || page.isCut.late) && events.length > 0 }
  }

  async #live(): Promise<void> {
    for (let failures = 0; !this.#stopping;) {
      try {
        const term = await this.#granted()
        if (term !== null) await this.#lead(term)
        failures = 0
      } catch (error) {
        this.#report(error)
        await this.#nudge.wait(backoffMs(AGAIN, failures, 0, this.#deps.random.uniform()))
        failures += 1
      }
    }
  }

  #granted(): Promise<Term | null> {
    const { settings: { name, leaseMs }, meter } = this.#deps
    const follows = (): boolean => {
      meter.reads(name, 'following')
      this.#behindSinceMs = null
      return !this.#stopping
    }
    return leadOrFollow({ ...this.#deps, of: leaseOf(name), leaseMs, holder: this.#holder, nudge: this.#nudge, follows })
  }

  async #lead(term: Term): Promise<void> {
    const { store, settings, bell, journal } = this.#deps
    journal.info('source.leads', { source: settings.name, fence: term.lead.fence })
    this.#stands = null
    this.#held = []
    this.#newest = null
    this.#told = { crowded: false, below: false }
    void term.over.then(() => this.#nudge.nudge())
    try {
      await this.#lookAfterLook(term)
    } finally {
      const resigns = term.trusted
      term.end('stopped')
      journal.info('source.leads-no-more', { source: settings.name, fence: term.lead.fence, why: await term.over })
      if (resigns) {
        await store.resign(term.lead)
        bell.ringVacant(leaseOf(settings.name))
      }
    }
  }

  async #lookAfterLook(term: Term): Promise<void> {
    const { settings, random, clock, meter } = this.#deps
    for (let failures = 0; term.trusted && !this.#stopping;) {
      try {
        const looked = await this.look(term)
        if (looked === 'over') return
        failures = 0
        this.#trouble = null
        meter.reads(settings.name, 'reading')
        this.#vainLooks = looked.held > 0 && looked.taken === 0 ? this.#vainLooks + 1 : 0
        const pollMs = looked.held > 0 ? Math.min(HELD_POLL_MS * 2 ** Math.min(this.#vainLooks, 10), settings.pollMs) : settings.pollMs
        if (!looked.more) await this.#nudge.wait(pollMs * (0.75 + random.uniform() / 2))
      } catch (error) {
        if (!(error instanceof StoreUnavailable) && !(error instanceof SourceTrouble)) throw error
        if (this.#stopping) return
        if (error instanceof StoreUnavailable) this.#stands = null // what was committed is read again
        this.#behindSinceMs ??= clock.monotonicMs()
        this.#report(error)
        await this.#nudge.wait(backoffMs(AGAIN, failures, 0, random.uniform()))
        failures += 1
      }
    }
  }

  async #standing(): Promise<{ readonly text: string | null, readonly position: Position }> {
    const { store, table, settings, clock } = this.#deps
    const text = await store.position(settings.name)
    if (text === null) return { text, position: await table.beginning() }
    const position = readPosition(text, clock.monotonicMs())
    if (position === undefined) throw new SourceTrouble('how far it was read was written down by another version, and this one cannot read it')
    return { text, position }
  }

  #count(late: number, events: readonly { readonly flaw: string | null }[]): void {
    const { settings: { name }, meter } = this.#deps
    const unbuilt = events.filter(({ flaw }) => flaw !== null).length
    meter.brought(name, 'unbuilt', unbuilt)
    meter.brought(name, 'late', late)
    meter.brought(name, 'taken', Math.max(0, events.length - unbuilt - late))
  }

  #tell(page: Page<SourceRow>, { overdue, isCrowded, position }: Judgement<SourceRow>): void {
    const { settings: { name, holdMs }, meter, journal } = this.#deps
    meter.passed(name, overdue)
    if (overdue > 0) journal.warn('source.passed-missing', { source: name, gaps: overdue, heldSeconds: holdMs / 1000 })
    if (page.late.length > 0) journal.info('source.came-late', { source: name, rows: page.late.length })
    if (isCrowded && !this.#told.crowded) journal.warn('source.too-many-missing', { source: name, gaps: position.gaps.length })
    if (!this.#told.below && hasComeBelow(this.#newest, page, position)) {
      this.#told.below = true
      journal.error('source.below-position', { source: name, position: String(position.cursor), newest: String(page.newest) })
    }
    this.#told.crowded = isCrowded
    this.#newest = page.newest
  }

  /** Once for each cause, as long as it stays the same. */
  #report(error: unknown): void {
    const { settings: { name }, journal, meter } = this.#deps
    meter.reads(name, 'in-trouble')
    if (!(error instanceof StoreUnavailable) && !(error instanceof SourceTrouble)) {
      journal.error('source.defect', { source: name, error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
      return
    }
    if (this.#trouble === error.message) return
    this.#trouble = error.message
    journal.warn('source.interrupted', { source: name, error: error.message })
  }
}

/** No sink can have this name. */
function leaseOf(source: string): string {
  return `source:${source}`
}

function earliest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? a ?? b : Math.min(a, b)
}
