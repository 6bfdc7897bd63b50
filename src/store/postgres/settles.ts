import { storableEvent, type OutboxEvent } from '../../core/event.ts'
import type { DoubtCause, KeyId, WriteOutcome } from '../../core/record.ts'
import type { StoredReply } from '../../core/reply.ts'
import type { Sent } from '../group-commit.ts'
import { answerAll, inOrder } from './answers.ts'
import { ids, numbers, Packed, texts } from './columns.ts'
import type { Row, Value } from './connection.ts'
import type { Link } from './link.ts'
import { eachRow, pick } from './standing.ts'
import type { Statement } from './statements.ts'

/*
 * What a holder writes to its record, each verb for a whole batch. All statements answer alike: written, fenced,
 * repeated (this claim had written it before: the row is written once more as it is, so that the answer is as durable
 * as the first one) or again (the row changed under the statement's eyes). What a release frees is deleted by one statement, and what
 * was accepted and waits again is written by another (`waits`), since none changes a table twice.
 */

export interface Held {
  readonly id: KeyId
  readonly holder: string
  readonly fence: number
}

export interface Completed extends Held {
  readonly reply: StoredReply
  readonly attempts: number
  readonly events: readonly OutboxEvent[]
}

export interface Abandoned extends Held {
  readonly cause: DoubtCause
  readonly attempts: number
}

export interface Renewed extends Held {
  readonly leaseMs: number
}

export function sendCompletions(batch: readonly Completed[], link: Link): Promise<Sent<WriteOutcome>[]> {
  return send(batch, link, link.sql.complete, (rows, arrival) => [link.now(), ids(rows), holders(rows), fences(rows), ...replies(rows, arrival)])
}

export function sendReleases(batch: readonly Held[], link: Link): Promise<Sent<WriteOutcome>[]> {
  return send(batch, link, link.sql.release, keys)
}

export function sendAbandonments(batch: readonly Abandoned[], link: Link): Promise<Sent<WriteOutcome>[]> {
  return send(batch, link, link.sql.abandon, (rows) => [link.now(), ids(rows), holders(rows), fences(rows), texts(rows, (row) => row.cause), numbers(rows, (row) => row.attempts)])
}

export function sendRenewals(batch: readonly Renewed[], link: Link): Promise<Sent<WriteOutcome>[]> {
  return send(batch, link, link.sql.renew, (rows) => [link.now(), ids(rows), holders(rows), fences(rows), numbers(rows, (row) => row.leaseMs)])
}

/** `columns` is given the rows in the order of their ids, and the places that they have in the order of arrival. */
function send<T extends Held>(batch: readonly T[], link: Link, statement: Statement, columns: (rows: readonly T[], places: readonly number[]) => Value[]): Promise<Sent<WriteOutcome>[]> {
  const until = link.connections.deadline()
  return answerAll<WriteOutcome>(inOrder(batch), link.connections, until, async (open, answer) => {
    const rows = pick(batch, open)
    const [repeated, waiting]: [number[], number[]] = [[], []]
    const written = (answers: readonly Row[], places: readonly number[]): void => {
      const woken: KeyId[] = []
      eachRow(answers, places, batch, (row, place, { id }) => {
        if (row[1] === 'written' || row[1] === 'fenced') answer(place, row[1])
        if (row[1] === 'repeated') repeated.push(place)
        if (row[1] === 'waits') waiting.push(place)
        if (row[2] === 't') woken.push(id)
      })
      link.wake(woken)
    }
    written(await link.connections.run(statement, columns(rows, open), until), open)
    if (waiting.length > 0) written(await link.connections.run(link.sql['release-work'], keys(pick(batch, waiting)), until), waiting)
    if (repeated.length > 0) eachRow(await link.connections.run(link.sql.touch, keys(pick(batch, repeated)), until), repeated, batch, (_, place) => answer(place, 'written'))
  })
}

/** Ids, holders and fences. */
function keys(rows: readonly Held[]): Value[] {
  return [ids(rows), holders(rows), fences(rows)]
}

function holders(rows: readonly Held[]): string {
  return texts(rows, (row) => row.holder)
}

function fences(rows: readonly Held[]): string {
  return numbers(rows, (row) => row.fence)
}

/** Parameters $5 to $19 of complete.sql. Events stand in the order in which their completions came, whatever their ids. */
function replies(rows: readonly Completed[], places: readonly number[]): Value[] {
  const packed = new Packed()
  const [begins, headers, trailers, bodies]: (number | null)[][] = [[], [], [], []]
  for (const { reply } of rows) {
    begins?.push(reply.kind === 'kept' ? packed.next : null)
    headers?.push(reply.kind === 'kept' ? packed.add(JSON.stringify(reply.reply.headers)) : null)
    trailers?.push(reply.kind === 'kept' ? packed.add(JSON.stringify(reply.reply.trailers)) : null)
    bodies?.push(reply.kind === 'kept' ? packed.add(reply.reply.body) : null)
  }
  const lengths = [begins, headers, trailers, bodies].map((column) => numbers(column ?? [], (length) => length))
  const events = eventsInOrder(rows, places)
  const eventColumns = packEvents(events, packed)
  return [
    numbers(rows, (row) => row.attempts), numbers(rows, ({ reply }) => (reply.kind === 'kept' ? reply.reply.status : reply.status)),
    packed.bytes(), ...lengths, numbers(events, ({ reply }) => reply), ...eventColumns,
  ]
}

interface PlacedEvent {
  /** counted from 1, in the arrays */
  readonly reply: number
  readonly arrival: number
  readonly event: OutboxEvent
}

function eventsInOrder(rows: readonly Completed[], places: readonly number[]): PlacedEvent[] {
  const events: PlacedEvent[] = []
  for (const [at, row] of rows.entries()) {
    for (const event of row.events) events.push({ reply: at + 1, arrival: places[at] ?? 0, event })
  }
  return events.sort((a, b) => a.arrival - b.arrival)
}

/** Ids, sinks, lanes, types, where the payloads begin and how long they are, and flaws. */
export function packEvents(packedEvents: readonly { readonly event: OutboxEvent }[], packed: Packed): Value[] {
  const events = packedEvents.map(({ event }) => storableEvent(event))
  const begins: number[] = []
  const lengths: number[] = []
  for (const event of events) {
    begins.push(packed.next)
    lengths.push(packed.add(event.payload))
  }
  return [
    texts(events, ({ id }) => id), texts(events, ({ sink }) => sink), texts(events, ({ lane }) => lane), texts(events, ({ type }) => type),
    numbers(begins, (begin) => begin), numbers(lengths, (length) => length), texts(events, ({ flaw }) => flaw),
  ]
}
