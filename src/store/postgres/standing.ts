import type { ClaimOutcome, KeyId } from '../../core/record.ts'
import { ids, numbers, texts } from './columns.ts'
import type { Row } from './connection.ts'
import { isConfirmed, isReplicated } from './confirm.ts'
import type { Link } from './link.ts'
import { causeAt, number, replyAt, text } from './rows.ts'

/*
 * What stands under a key already, as claim.sql and accept.sql judge it, in the same columns.
 */

export type Standing = Exclude<ClaimOutcome, { kind: 'claimed' }>

/** What somebody has committed before, and whether this server has standbys to wait for. */
export interface Promised<Outcome> {
  readonly place: number
  readonly id: KeyId
  readonly replicated: boolean
  readonly outcome: Outcome
}

/** A row that this holder has already: what it was told then, once it is written again. */
export interface Own<Outcome> {
  readonly place: number
  readonly id: KeyId
  readonly holder: string
  readonly fence: number
  readonly outcome: Outcome
}

/** Null for a verdict that another statement has to do with. */
export function standingAt(row: Row): Standing | null {
  switch (text(row, 1)) {
    case 'replay': return { kind: 'replay', reply: replyAt(row, 11), fence: number(row, 4), fingerprint: text(row, 10), spec: text(row, 8), parts: text(row, 9), operationRef: text(row, 3), retainUntil: number(row, 2) }
    case 'accepted': return { kind: 'accepted', operationRef: text(row, 3) }
    case 'busy': return { kind: 'busy', retryAfterMs: number(row, 5), operationRef: text(row, 3) }
    case 'mismatch': return { kind: 'mismatch', spec: text(row, 8), parts: text(row, 9), operationRef: text(row, 3) }
    case 'uncertain': return { kind: 'uncertain', since: number(row, 6), cause: causeAt(row, 7), operationRef: text(row, 3), fence: number(row, 4), probe: row[17] ?? null, outbox: row[18] ?? null, ageMs: number(row, 16) }
    default: return null
  }
}

export function promised<Outcome>(row: Row, place: number, id: KeyId, outcome: Outcome): Promised<Outcome> {
  return { place, id, replicated: isReplicated(row, 15), outcome }
}

/**
 * What was read is as durable as a commit that was waited for after it: that of the same statement (`committed`), or one that is made for
 * it. Without standbys everything that can be read is durable.
 */
export async function keepPromises<Outcome>(promises: readonly Promised<Outcome>[], committed: boolean, link: Link, until: number, answer: (place: number, outcome: Outcome) => void): Promise<void> {
  const [first] = promises
  if (first === undefined) return
  if (!committed && first.replicated && !await isConfirmed(first.id, link, until)) return // it has changed: asked again
  for (const { place, outcome } of promises) answer(place, outcome)
}

/** Nobody is answered here: who asks about such a key reads the doubt in the next round. */
export async function expire(requests: readonly { readonly id: KeyId }[], link: Link, until: number): Promise<void> {
  const rows = await link.connections.run(link.sql.expire, [link.now(), ids(requests), requests.length], until)
  link.wake(rows.flatMap((row) => (row[1] === 't' ? requests[number(row, 0) - 1]?.id ?? [] : [])))
}

export async function touch<Outcome>(owns: readonly Own<Outcome>[], link: Link, until: number, answer: (place: number, outcome: Outcome) => void): Promise<void> {
  const rows = await link.connections.run(link.sql.touch, [ids(owns), texts(owns, (own) => own.holder), numbers(owns, (own) => own.fence)], until)
  for (const row of rows) {
    const own = owns[number(row, 0) - 1]
    if (own !== undefined && row[1] === 'in_flight') answer(own.place, own.outcome)
  }
}

/** Which of those that were asked about each row is of; its first column counts them from 1. */
export function eachRow<T>(rows: readonly Row[], places: readonly number[], batch: readonly T[], read: (row: Row, place: number, asked: T) => void): void {
  for (const row of rows) {
    const place = places[number(row, 0) - 1]
    const asked = place === undefined ? undefined : batch[place]
    if (place !== undefined && asked !== undefined) read(row, place, asked)
  }
}

export function pick<T>(batch: readonly T[], places: readonly number[]): T[] {
  return places.flatMap((place) => batch[place] ?? [])
}
