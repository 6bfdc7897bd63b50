import type { OutboxEvent } from '../../src/core/event.ts'
import { OPERATIONS_SINK, operationLane } from '../../src/core/operations.ts'
import type { OutboxStore } from '../../src/core/outbox-ports.ts'
import type { Clock, KeyStore } from '../../src/core/ports.ts'
import type { AcceptedWork, Act, BeginRequest, Claim, ClaimRequest, Completion, KeyId, OnOrphan } from '../../src/core/record.ts'
import type { StoredReply } from '../../src/core/reply.ts'

/** A store of its own for one test, with a clock that the test sets. */
export interface OpenStore {
  readonly store: KeyStore
  /** in the same database */
  readonly outbox: OutboxStore
  readonly clock: HeldClock
  /** all events that were committed, in the order of their commits */
  readonly committedEvents: () => Promise<readonly OutboxEvent[]>
  /** the ids that the store told `Wakeups` so far */
  readonly woken: readonly KeyId[]
  readonly close: () => Promise<void>
}

export interface KeyStoreHarness {
  open(): Promise<OpenStore>
}

export const START_MS = Date.parse('2026-03-01T12:00:00Z')
export const LEASE_MS = 60_000
/** An operator at work. */
export const ACT: Act = { by: 'ada', reason: 'ticket 7' }

export const RETENTION_MS = 86_400_000
/** Whose accepted requests these are. */
export const OWNER = 'owner-1'.padEnd(22, '_')

/** Stands still until a test moves it. */
export class HeldClock implements Clock {
  #nowMs = START_MS

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs - START_MS
  }

  /** Never runs: a store must not wait for time. */
  after(): () => void {
    return () => undefined
  }

  advance(byMs: number): void {
    this.#nowMs += byMs
  }
}

/** Everything derived from two names: the same key is the same id, each holder its own 22 characters. */
export function request(key: string, holder: string, changes: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    id: `${`id-of-${key}`.padEnd(42, '_')}w`, // base64url of 32 bytes, as real ones are: a store may keep the bytes
    keyDigest: `digest-${key}`.padEnd(22, '_'),
    operationRef: `op-${key}-${holder}`.padEnd(22, '_'),
    fingerprint: 'print-1'.padEnd(43, '_'),
    spec: '{"v":1,"mode":"bytes"}',
    parts: 'bWV0aG9kXzE.dGFyZ2V0XzE.aGVhZGVyc18.Ym9keV9fXzE',
    holder: `holder-${holder}`.padEnd(22, '_'),
    route: 'create-charge',
    leaseMs: LEASE_MS,
    retentionMs: RETENTION_MS,
    onOrphan: { kind: 'hold' },
    probe: null,
    outbox: null,
    ...changes,
  }
}

/** Claims, and fails the test's promise when that is not granted. */
export async function claimed(store: KeyStore, wish: ClaimRequest): Promise<Claim> {
  const outcome = await store.claim(wish)
  if (outcome.kind !== 'claimed') throw new Error(`expected to be granted the claim, but was told ${outcome.kind}`)
  return outcome.claim
}

/** The execution of what was accepted with this request. */
export function beginning({ id, operationRef }: ClaimRequest, holder: string, onOrphan: OnOrphan = { kind: 'hold' }): BeginRequest {
  return { id, operationRef, holder: `holder-${holder}`.padEnd(22, '_'), leaseMs: LEASE_MS, onOrphan }
}

/** Begins, and fails the test's promise when that is not granted. */
export async function begun(store: KeyStore, wish: ClaimRequest, holder: string): Promise<Claim> {
  const outcome = await store.begin(beginning(wish, holder))
  if (outcome.kind !== 'claimed') throw new Error(`expected to begin, but was told ${outcome.kind}`)
  return outcome.claim
}

/** Whatever waits to be executed becomes a dead letter. */
export async function giveUp(outbox: OutboxStore): Promise<void> {
  const leadership = await outbox.lead(OPERATIONS_SINK, 'relay-1', 1_000_000_000_000)
  if (leadership.kind !== 'leading') throw new Error('somebody else leads')
  const { events } = await outbox.take({ sink: OPERATIONS_SINK, after: null, lanes: 100, perLane: 1, bytes: 10_000_000, busy: [] })
  await outbox.settle(leadership.lead, events.map(({ row }) => ({ kind: 'dead', row, cause: 'given up', blocks: true })))
}

export function keptReply(text: string): StoredReply {
  return {
    kind: 'kept',
    reply: { status: 201, headers: ['Content-Type', 'application/json', 'X-Twice', 'a', 'X-Twice', 'b'], body: Buffer.from(text), trailers: [] },
  }
}

export function completion(text: string, events: readonly OutboxEvent[] = []): Completion {
  return { reply: keptReply(text), attempts: 1, events }
}

export function event(id: string): OutboxEvent {
  return { id, sink: 'payments', lane: 'customer-7', type: 'charge.created', payload: Buffer.from(`{"event":"${id}"}`), flaw: null }
}

/** What is accepted with this request. */
export function work({ operationRef }: ClaimRequest, owner = OWNER, changes: Partial<AcceptedWork> = {}): AcceptedWork {
  const payload = Buffer.from(`the request of ${operationRef}`)
  return { owner, quota: 100, event: { id: operationRef, sink: OPERATIONS_SINK, lane: operationLane(owner, operationRef), type: 'operation.accepted', payload, flaw: null }, ...changes }
}

/** Bytes as hex, so that a store may hand back any kind of Uint8Array. */
export function readable(stored: StoredReply): unknown {
  if (stored.kind === 'not-kept') return stored
  const { status, headers, body, trailers } = stored.reply
  return { status, headers: [...headers], body: Buffer.from(body).toString('hex'), trailers: [...trailers] }
}

export function readableEvents(events: readonly OutboxEvent[]): unknown {
  return events.map(({ id, sink, lane, type, payload }) => ({ id, sink, lane, type, payload: Buffer.from(payload).toString('utf8') }))
}
