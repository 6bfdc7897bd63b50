import type { OutboxEvent } from '../../../src/core/event.ts'
import type { DeadLetterFilter, EventEnd, Lead, Taken, WaitingEvent, Wanted } from '../../../src/core/outbox.ts'
import type { OutboxStore } from '../../../src/core/outbox-ports.ts'
import type { KeyStore } from '../../../src/core/ports.ts'
import { claimed, completion, request, type HeldClock } from '../situation.ts'

/** A store of its own for one test, with a clock that the test sets. */
export interface OpenOutbox {
  readonly outbox: OutboxStore
  readonly clock: HeldClock
  /** commits these with one completion, in this order */
  readonly commit: (...events: readonly OutboxEvent[]) => Promise<void>
  readonly close: () => Promise<void>
}

/** As a completed request does it. */
export function committing(keys: KeyStore): OpenOutbox['commit'] {
  let requests = 0
  return async (...events) => {
    requests += 1
    const outcome = await keys.complete(await claimed(keys, request(`key-${requests}`, '1')), completion('done', events))
    if (outcome !== 'written') throw new Error(`expected to complete, but was ${outcome}`)
  }
}

export interface OutboxHarness {
  open(): Promise<OpenOutbox>
}

export const SINK = 'payments'
export const LEASE_MS = 10_000
export const ALL: DeadLetterFilter = { id: null, sink: null, lane: null, type: null }
export const EVERYTHING: Wanted = { sink: SINK, after: null, lanes: 100, perLane: 100, bytes: 1_000_000, busy: [] }

/** `a1` is the first event of lane a. */
export function event(id: string, changes: Partial<OutboxEvent> = {}): OutboxEvent {
  return { id, sink: SINK, lane: id.slice(0, 1), type: 'charge.created', payload: Buffer.from(`{"id":"${id}"}`), flaw: null, ...changes }
}

export async function led(outbox: OutboxStore, holder = 'relay-1', sink = SINK): Promise<Lead> {
  const leadership = await outbox.lead(sink, holder, LEASE_MS)
  if (leadership.kind !== 'leading') throw new Error(`expected to lead, but somebody else does for ${leadership.againMs} ms`)
  return leadership.lead
}

export async function taken(outbox: OutboxStore, changes: Partial<Wanted> = {}): Promise<readonly string[]> {
  return idsOf(await outbox.take({ ...EVERYTHING, ...changes }))
}

export function idsOf({ events }: Taken): readonly string[] {
  return events.map(({ id }) => id)
}

/** Takes all that may be taken, and returns the one with this id. */
export async function takenOne(outbox: OutboxStore, id: string): Promise<WaitingEvent> {
  const { events } = await outbox.take(EVERYTHING)
  const found = events.find((waiting) => waiting.id === id)
  if (found === undefined) throw new Error(`${id} is not among what waits: ${events.map((waiting) => waiting.id).join(', ')}`)
  return found
}

export function delivered({ row }: { readonly row: number }): EventEnd {
  return { kind: 'delivered', row }
}

export function retry({ row }: { readonly row: number }, afterMs: number, changes: { readonly cause?: string, readonly counted?: boolean } = {}): EventEnd {
  return { kind: 'retry', row, cause: 'status 500', afterMs, counted: true, ...changes }
}

export function dead({ row }: { readonly row: number }, blocks: boolean, cause = 'status 422'): EventEnd {
  return { kind: 'dead', row, cause, blocks }
}

/** Commits one event, takes it and gives it up. */
export async function buried({ outbox, commit }: OpenOutbox, lead: Lead, committed: OutboxEvent, blocks: boolean): Promise<void> {
  await commit(committed)
  await outbox.settle(lead, [dead(await takenOne(outbox, committed.id), blocks)])
}
