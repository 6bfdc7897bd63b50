import { storableEvent, type OutboxEvent } from '../../src/core/event.ts'
import { OPERATIONS_SINK } from '../../src/core/operations.ts'
import { fateAfter, fateAfterRedrive, fateAtCommit, type Death, type EventFate } from '../../src/core/event-fate.ts'
import type { DeadLetter, DeadLetterFilter, OutboxAct, WaitingEvent } from '../../src/core/outbox.ts'
import type { OutboxStore } from '../../src/core/outbox-ports.ts'
import { StoreUnavailable, type Clock } from '../../src/core/ports.ts'
import type { Act } from '../../src/core/record.ts'
import { onLead, type SinkLease } from '../../src/core/sink-lease.ts'
import { TakenEvents } from '../../src/store/taken-events.ts'

interface Stored {
  readonly row: number
  readonly event: OutboxEvent
  readonly committedAt: number
  fate: EventFate
}

type Dead = Stored & { readonly death: Death }

/** An OutboxStore without a disk, for tests of the relay. It passes the same contract suite as the real ones. */
export class MemoryOutboxStore implements OutboxStore {
  readonly #clock: Clock
  readonly #rows = new Map<number, Stored>()
  readonly #sinks = new Map<string, Lanes>()
  readonly #ids = new Set<string>()
  readonly #leases = new Map<string, SinkLease>()
  readonly #positions = new Map<string, string>()
  readonly #audit: OutboxAct[] = []
  readonly #taken = new TakenEvents()
  #lastRow = 0
  /** told of each accepted operation whose dead letter is thrown away */
  discardsWork: (operationRef: string) => void = () => undefined
  /** while it is set every call fails as an outage does; a test's own word */
  outage: 'no' | 'unknown' | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Commits them, as a completion would. */
  put(...events: readonly OutboxEvent[]): void {
    for (const event of events) this.begin(event)()
  }

  /** Takes its row number now; it is committed when the returned function is called. */
  begin(committed: OutboxEvent): () => void {
    const event = storableEvent(committed)
    this.#lastRow += 1
    const row = this.#lastRow
    return () => {
      if (this.#ids.has(event.id)) return
      this.#ids.add(event.id)
      const committedAt = this.#clock.wallMs()
      const stored = { row, event, committedAt, fate: fateAtCommit(event.flaw, committedAt) }
      this.#rows.set(row, stored)
      this.#lanesOf(event.sink).add(stored)
    }
  }

  /** how many wait, of all sinks */
  get waiting(): number {
    return [...this.#rows.values()].filter(({ fate }) => fate.dead === null).length
  }

  /** all that are there, in the order of their rows */
  get events(): readonly OutboxEvent[] {
    return [...this.#rows.values()].toSorted((a, b) => a.row - b.row).map(({ event }) => event)
  }

  /** how many accepted operations of this owner wait */
  waitingOf(owner: string): number {
    return this.#waitingIn(OPERATIONS_SINK).filter(({ event: { lane } }) => lane >= `${owner}.` && lane < `${owner}/`).length
  }

  /** Nothing of this operation is left to be executed. */
  endWork(operationRef: string): void {
    for (const stored of this.#rows.values()) if (stored.event.sink === OPERATIONS_SINK && stored.event.id === operationRef) this.#remove(stored)
  }

  lead: OutboxStore['lead'] = (sink, holder, leaseMs) => this.#turn((nowMs) => {
    const standing = this.#leases.get(sink)
    const { lease, leadership } = onLead(standing, sink, holder, leaseMs, nowMs)
    this.#leases.set(sink, lease)
    if (lease.fence !== standing?.fence) this.#taken.forget(sink)
    return leadership
  })

  resign: OutboxStore['resign'] = (lead) => this.#turn(() => {
    if (this.#stands(lead)) this.#leases.set(lead.sink, { holder: null, fence: lead.fence, leaseUntil: 0 })
  })

  take: OutboxStore['take'] = ({ sink, after, lanes, perLane, bytes, busy }) => this.#turn((nowMs) => {
    const events: WaitingEvent[] = []
    let [found, sum] = [0, 0]
    let [last, dueInMs]: [string | null, number | null] = [after, null]
    for (const [lane, rows] of this.#lanesOf(sink).behind(after)) {
      if (found === lanes) return this.#took(sink, { events, at: nowMs, next: last, dueInMs })
      const waiting = rows.filter(({ fate }) => fate.dead === null)
      const [head] = waiting
      const isBlocked = rows.some(({ fate }) => fate.dead?.blocks === true)
      if (head !== undefined && !isBlocked && !busy.includes(lane)) {
        if (rests(head, nowMs)) {
          dueInMs = Math.min(dueInMs ?? Infinity, (head.fate.notBefore ?? 0) - nowMs)
        } else {
          const resting = waiting.findIndex((stored) => rests(stored, nowMs))
          for (const [place, stored] of waiting.slice(0, resting === -1 ? perLane : Math.min(perLane, resting)).entries()) {
            sum += stored.event.payload.length
            if (sum > bytes && events.length > 0) return this.#took(sink, { events, at: nowMs, next: place === 0 ? last : lane, dueInMs })
            events.push(waitingEvent(stored, nowMs))
          }
          found += 1
        }
      }
      last = lane
    }
    return this.#took(sink, { events, at: nowMs, next: null, dueInMs })
  })

  settle: OutboxStore['settle'] = (lead, ends) => this.#turn((nowMs) => {
    if (!this.#stands(lead)) return 'fenced'
    for (const end of ends) {
      const stored = this.#rows.get(end.row)
      if (stored === undefined || stored.event.sink !== lead.sink || stored.fate.dead !== null) continue
      if (end.kind === 'delivered') this.#remove(stored)
      else stored.fate = fateAfter(end, stored.fate, this.#taken.attemptsOf(lead.sink, end.row), nowMs)
    }
    this.#taken.settled(lead.sink, ends)
    return 'written'
  })

  position: OutboxStore['position'] = (source) => this.#turn(() => this.#positions.get(source) ?? null)

  bring: OutboxStore['bring'] = (lead, source, { events, from, to }) => this.#turn(() => {
    const standing = this.#positions.get(source) ?? null
    if (!this.#stands(lead) || (standing !== from && standing !== to)) return 'fenced'
    if (standing === to) return 'written'
    this.#positions.set(source, to)
    this.put(...events)
    return 'written'
  })

  arrivals: OutboxStore['arrivals'] = (sink, windowMs, limit) => this.#turn((nowMs) => (
    Math.min(Math.ceil(limit), this.#waitingIn(sink).filter((stored) => waitsSince(stored) > nowMs - windowMs).length)
  ))

  census: OutboxStore['census'] = (sinks) => this.#turn((nowMs) => {
    const others = [...new Set([...this.#rows.values()].map(({ event }) => event.sink))].filter((sink) => !sinks.includes(sink))
    return [...sinks, ...others.toSorted()].map((sink) => {
      const oldest = Math.min(...this.#waitingIn(sink).map(waitsSince))
      return { sink, lagMs: Number.isFinite(oldest) ? Math.max(0, nowMs - oldest) : 0, dead: this.#dead({ ...ANY, sink }).length }
    })
  })

  deadLetters: OutboxStore['deadLetters'] = (filter, limit, after) => this.#turn(() => (
    this.#dead(filter).filter(({ row }) => row > (after ?? 0)).slice(0, limit).map(deadLetter)
  ))

  redrive: OutboxStore['redrive'] = (filter, limit, act) => this.#turn((nowMs) => {
    const letters = this.#dead(filter)
    const whole = letters.filter(({ death }) => !death.unbuilt).slice(0, limit)
    for (const letter of whole) {
      this.#writeDown('redrive', letter, act, nowMs)
      const stored = this.#rows.get(letter.row)
      if (stored !== undefined) stored.fate = fateAfterRedrive(stored.fate, nowMs)
    }
    return { redriven: whole.length, unbuilt: Math.min(limit, letters.filter(({ death }) => death.unbuilt).length) }
  })

  discard: OutboxStore['discard'] = (filter, limit, act) => this.#turn((nowMs) => {
    const letters = this.#dead(filter).slice(0, limit)
    for (const letter of letters) {
      this.#writeDown('discard', letter, act, nowMs)
      this.#remove(letter)
      if (letter.event.sink === OPERATIONS_SINK) this.discardsWork(letter.event.id)
    }
    return letters.length
  })

  audit: OutboxStore['audit'] = (limit) => this.#turn(() => this.#audit.toReversed().slice(0, limit))

  /** One call at a time, each within one turn. */
  async #turn<Result>(act: (nowMs: number) => Result): Promise<Result> {
    await Promise.resolve()
    if (this.outage !== null) throw new StoreUnavailable(this.outage, 'the test says that there is no store')
    return act(this.#clock.wallMs())
  }

  #took<Result extends { readonly events: readonly WaitingEvent[] }>(sink: string, taken: Result): Result {
    this.#taken.took(sink, taken.events)
    return taken
  }

  #stands({ sink, holder, fence }: { readonly sink: string, readonly holder: string, readonly fence: number }): boolean {
    const lease = this.#leases.get(sink)
    return lease !== undefined && lease.holder === holder && lease.fence === fence
  }

  #lanesOf(sink: string): Lanes {
    let lanes = this.#sinks.get(sink)
    if (lanes === undefined) this.#sinks.set(sink, lanes = new Lanes())
    return lanes
  }

  #waitingIn(sink: string): Stored[] {
    return [...this.#rows.values()].filter(({ event, fate }) => event.sink === sink && fate.dead === null)
  }

  /** Oldest first. */
  #dead({ id, sink, lane, type }: DeadLetterFilter): Dead[] {
    return [...this.#rows.values()].toSorted((a, b) => a.row - b.row).flatMap((stored) => {
      const { event, fate: { dead } } = stored
      const isMeant = (id ?? event.id) === event.id && (sink ?? event.sink) === event.sink && (lane ?? event.lane) === event.lane && (type ?? event.type) === event.type
      return dead !== null && isMeant ? [{ ...stored, death: dead }] : []
    })
  }

  #remove({ row, event }: Stored): void {
    this.#rows.delete(row)
    this.#lanesOf(event.sink).remove(event.lane, row)
  }

  #writeDown(verb: OutboxAct['verb'], { event: { id, sink, lane, type }, death }: Dead, { by, reason }: Act, nowMs: number): void {
    this.#audit.push({ at: nowMs, verb, event: id, sink, lane, type, cause: death.cause, by, reason })
  }
}

const ANY: DeadLetterFilter = { id: null, sink: null, lane: null, type: null }

/** The lanes of one sink, in the order of their bytes as UTF-8, which is that of the databases. */
class Lanes {
  readonly #names: string[] = []
  readonly #rows = new Map<string, Stored[]>()

  add(stored: Stored): void {
    const { lane } = stored.event
    const rows = this.#rows.get(lane)
    if (rows === undefined) {
      this.#names.splice(this.#placeBehind(lane), 0, lane)
      this.#rows.set(lane, [stored])
      return
    }
    rows.push(stored)
    rows.sort((a, b) => a.row - b.row)
  }

  remove(lane: string, row: number): void {
    const rows = this.#rows.get(lane)?.filter((stored) => stored.row !== row) ?? []
    if (rows.length > 0) {
      this.#rows.set(lane, rows)
      return
    }
    this.#rows.delete(lane)
    this.#names.splice(this.#placeBehind(lane) - 1, 1)
  }

  * behind(after: string | null): Iterable<[lane: string, rows: Stored[]]> {
    for (let place = after === null ? 0 : this.#placeBehind(after); place < this.#names.length; place += 1) {
      const lane = this.#names[place] ?? ''
      yield [lane, this.#rows.get(lane) ?? []]
    }
  }

  /** Of the first name that is greater. */
  #placeBehind(lane: string): number {
    const bytes = Buffer.from(lane)
    let [low, high] = [0, this.#names.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (Buffer.compare(Buffer.from(this.#names[middle] ?? ''), bytes) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function rests({ fate }: Stored, nowMs: number): boolean {
  return fate.notBefore !== null && fate.notBefore > nowMs
}

function waitsSince({ fate, committedAt }: Stored): number {
  return fate.waitingSince ?? committedAt
}

function waitingEvent({ row, event: { id, lane, type, payload }, committedAt, fate }: Stored, nowMs: number): WaitingEvent {
  return { row, id, lane, type, payload, committedAt, attempts: fate.attempts, firstFailedMs: fate.firstFailedAt === null ? null : nowMs - fate.firstFailedAt }
}

function deadLetter({ row, event: { id, sink, lane, type, payload }, committedAt, fate, death }: Dead): DeadLetter {
  return {
    row, id, sink, lane, type, payload, committedAt, deadAt: death.at, attempts: fate.attempts, cause: death.cause,
    history: fate.history, unbuilt: death.unbuilt, blocks: death.blocks,
  }
}
