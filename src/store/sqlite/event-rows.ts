import { crc32 } from 'node:zlib'
import type { StatementResultingChanges } from 'node:sqlite'
import { fateAtCommit, type EventFate } from '../../core/event-fate.ts'
import { storableEvent, type OutboxEvent } from '../../core/event.ts'
import type { DeadLetterFilter, Failure } from '../../core/outbox.ts'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

/** What has become of an event, as the columns of update-event.sql. */
type FateColumns = [
  attempts: number, notBefore: number | null, firstFailedAt: number | null, waitingSince: number | null,
  deadAt: number | null, cause: string | null, blocks: number, unbuilt: number, history: string,
]
type EventRow = [row: number, id: string, sink: string, lane: string, type: string, payload: Uint8Array, committedAt: number, ...fate: FateColumns, checksum: number]

const CHECKSUM = 16
/** How an event begins; then its checksum is that of its envelope, as before there were such columns. */
const PRISTINE = JSON.stringify(fateColumns(fateAtCommit(null, 0)))

/** A row of the outbox, verified. */
export interface StoredEvent {
  readonly row: number
  readonly event: Omit<OutboxEvent, 'flaw'>
  readonly committedAt: number
  readonly fate: EventFate
}

/** The outbox's rows in the transaction that is open now; `changed` is told of every change. */
export class EventRows {
  readonly #sql: Statements
  readonly #changed: () => void

  constructor(sql: Statements, changed: () => void) {
    this.#sql = sql
    this.#changed = changed
  }

  insert(committed: OutboxEvent, nowMs: number): void {
    const event = storableEvent(committed)
    const { id, sink, lane, type, payload, flaw } = event
    const fate = fateColumns(fateAtCommit(flaw, nowMs))
    this.#sql['insert-event'].run(id, sink, lane, type, payload, nowMs, ...fate, checksumOf(event, nowMs, fate))
    this.#changed()
  }

  /** whether an event of this id waits, or is dead */
  isKnown(id: string): boolean {
    return this.#sql['event-known'].get(id) !== undefined
  }

  find(row: number): StoredEvent | undefined {
    const found: unknown = this.#sql.event.get(row)
    return found === undefined ? undefined : storedEvent(found)
  }

  /** The lane behind `after`, among those with something that waits. */
  nextLane(sink: string, after: string | null): string | undefined {
    return textIn(after === null ? this.#sql['first-lane'].get(sink) : this.#sql['next-lane'].get(sink, after))
  }

  isBlocked(sink: string, lane: string): boolean {
    return this.#sql['lane-blocked'].get(sink, lane) !== undefined
  }

  /** From the head on; read one by one, so that whoever has enough stops. */
  * waiting(sink: string, lane: string, limit: number): Iterable<StoredEvent> {
    for (const row of this.#sql['lane-events'].iterate(sink, lane, limit)) {
      const stored = storedEvent(row)
      if (stored.event.sink !== sink || stored.event.lane !== lane) throw new Damaged('the index waiting_by_lane points to an event of another lane')
      yield stored
    }
  }

  /** Oldest first. `unbuilt` null: whether they could be built or not. */
  dead({ id, sink, lane, type }: DeadLetterFilter, limit: number, after: number, unbuilt: boolean | null): StoredEvent[] {
    return this.#sql['dead-letters'].all(id, sink, lane, type, after, limit, unbuilt === null ? null : Number(unbuilt)).map(storedEvent)
  }

  update({ row, event, committedAt }: StoredEvent, fate: EventFate): void {
    const columns = fateColumns(fate)
    mustChangeOne(this.#sql['update-event'].run(...columns, checksumOf(event, committedAt, columns), row))
    this.#changed()
  }

  delete({ row }: StoredEvent): void {
    mustChangeOne(this.#sql['delete-event'].run(row))
    this.#changed()
  }

  deliver(row: number, sink: string): void {
    if (this.#sql['delete-delivered'].run(row, sink).changes === 1) this.#changed()
  }

  /** The event of this id, if it is of this sink. */
  remove(id: string, sink: string): void {
    if (this.#sql['delete-event-of-sink'].run(id, sink).changes === 1) this.#changed()
  }

  /** Whatever waits or is dead there. */
  * idsOf(sink: string): Iterable<string> {
    for (const row of this.#sql['events-of-sink'].iterate(sink)) {
      const id = textIn(row)
      if (id !== undefined) yield id
    }
  }

  /** How many wait in the lanes between these two, the second one left out; at most `limit` are counted. */
  waitingBetween(sink: string, from: string, to: string, limit: number): number {
    return numberIn(this.#sql['waiting-of-owner'].get(sink, from, to, limit)) ?? 0
  }

  arrivals(sink: string, sinceMs: number, limit: number): number {
    return numberIn(this.#sql.arrivals.get(sink, sinceMs, limit)) ?? 0
  }

  oldestWaiting(sink: string): number | undefined {
    return numberIn(this.#sql['oldest-waiting'].get(sink))
  }

  sinksWaiting(): string[] {
    const sinks: string[] = []
    for (let sink = textIn(this.#sql['next-waiting-sink'].get('')); sink !== undefined; sink = textIn(this.#sql['next-waiting-sink'].get(sink))) sinks.push(sink)
    return sinks
  }

  deadBySink(): Map<string, number> {
    return new Map(this.#sql['dead-by-sink'].all().map((row: unknown): [string, number] => {
      const [sink, count]: unknown[] = Array.isArray(row) ? row : []
      return [String(sink), Number(count)]
    }))
  }
}

function fateColumns({ attempts, notBefore, firstFailedAt, waitingSince, dead, history }: EventFate): FateColumns {
  return [attempts, notBefore, firstFailedAt, waitingSince, dead?.at ?? null, dead?.cause ?? null, Number(dead?.blocks ?? false), Number(dead?.unbuilt ?? false), JSON.stringify(history)]
}

/** Throws Damaged unless the row is the one that was written. */
function storedEvent(row: unknown): StoredEvent {
  if (!isEventRow(row)) throw new Damaged('an event has not the columns that it was written with')
  const [number, id, sink, lane, type, payload, committedAt, ...rest] = row
  const [attempts, notBefore, firstFailedAt, waitingSince, deadAt, cause, blocks, unbuilt, history] = rest
  const event = { id, sink, lane, type, payload }
  const fate: FateColumns = [attempts, notBefore, firstFailedAt, waitingSince, deadAt, cause, blocks, unbuilt, history]
  if (checksumOf(event, committedAt, fate) !== row[CHECKSUM]) throw new Damaged('the checksum of an event is wrong')
  const dead = deadAt === null || cause === null ? null : { at: deadAt, cause, blocks: blocks === 1, unbuilt: unbuilt === 1 }
  return { row: number, event, committedAt, fate: { attempts, notBefore, firstFailedAt, waitingSince, dead, history: failuresIn(history) } }
}

function checksumOf({ id, sink, lane, type, payload }: Omit<OutboxEvent, 'flaw'>, committedAt: number, fate: FateColumns): number {
  const envelope = crc32(payload, crc32(`${id}\n${sink}\n${lane}\n${type}\n${committedAt}`))
  const text = JSON.stringify(fate)
  return text === PRISTINE ? envelope : crc32(text, envelope)
}

/** The checksum vouches that it is a text which `fateColumns` made. */
function failuresIn(text: string): Failure[]
function failuresIn(text: string): unknown {
  return JSON.parse(text)
}

function mustChangeOne({ changes }: StatementResultingChanges): void {
  if (changes !== 1) throw new Damaged('the table outbox_event has lost a row')
}

function textIn(row: unknown): string | undefined {
  const value: unknown = Array.isArray(row) ? row[0] : undefined
  return typeof value === 'string' ? value : undefined
}

function numberIn(row: unknown): number | undefined {
  const value: unknown = Array.isArray(row) ? row[0] : undefined
  return typeof value === 'number' ? value : undefined
}

/** As in rows.ts: the STRICT table and the checksum vouch for what is in it. */
function isEventRow(value: unknown): value is EventRow {
  return Array.isArray(value) && value.length === CHECKSUM + 1
}
