import type { EventEnd, Failure } from './outbox.ts'
import { storableText } from './storable-text.ts'

/** What has become of an event so far, beside what it is. Times are milliseconds since the epoch by the store's clock. */
export interface EventFate {
  readonly attempts: number
  /** null: at once */
  readonly notBefore: number | null
  readonly firstFailedAt: number | null
  /** null: since its commit */
  readonly waitingSince: number | null
  /** null: it waits */
  readonly dead: Death | null
  readonly history: readonly Failure[]
}

export interface Death {
  readonly at: number
  readonly cause: string
  readonly blocks: boolean
  readonly unbuilt: boolean
}

/** Failures of an event that are kept, the newest ones. */
export const HISTORY = 10

/** An event with a flaw is dead at once. It blocks nobody: a redrive could not deliver it, so its lane would never go on. */
export function fateAtCommit(flaw: string | null, nowMs: number): EventFate {
  const dead = flaw === null ? null : { at: nowMs, cause: flaw, blocks: false, unbuilt: true }
  return { attempts: 0, notBefore: null, firstFailedAt: null, waitingSince: null, dead, history: [] }
}

/**
 * `before`: the attempts that it had when it was taken, null if nobody knows. A failure whose settle had an unknown result is told
 * again, and is not to count twice.
 */
export function fateAfter(end: Exclude<EventEnd, { kind: 'delivered' }>, fate: EventFate, before: number | null, nowMs: number): EventFate {
  const counted = end.kind === 'dead' || end.counted
  const attempts = counted ? (before ?? fate.attempts) + 1 : fate.attempts
  const cause = storableText(end.cause)
  const isTold = counted && attempts === fate.attempts
  const failed = {
    ...fate, attempts, firstFailedAt: fate.firstFailedAt ?? nowMs,
    history: isTold ? fate.history : [...fate.history, { at: nowMs, cause }].slice(-HISTORY),
  }
  switch (end.kind) {
    case 'retry': return { ...failed, notBefore: nowMs + end.afterMs }
    case 'dead': return { ...failed, notBefore: null, dead: { at: nowMs, cause, blocks: end.blocks, unbuilt: false } }
    default: return end satisfies never
  }
}

/** What it went through stays; since when receivers may know its id, too. */
export function fateAfterRedrive(fate: EventFate, nowMs: number): EventFate {
  return { ...fate, attempts: 0, notBefore: null, waitingSince: nowMs, dead: null }
}
