import type { Fields } from '../core/headers.ts'
import { ownerDigest } from '../core/key.ts'
import { OPERATIONS_SINK, type OperationsSettings } from '../core/operations.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import type { Policy } from '../core/policy.ts'
import { preferencesOf } from '../core/prefer.ts'
import { StoreUnavailable, type Clock, type KeyStore, type TokenVerifier } from '../core/ports.ts'
import type { KeyRecord } from '../core/record.ts'
import type { Route } from '../core/route.ts'
import { byClaim, identify, type TokenScope } from '../core/scope.ts'
import { witness, witnessOf } from '../core/witness.ts'
import type { Namespace } from './admit.ts'
import { isOver, type Completions } from './completion.ts'

/*
 * An operation that was accepted, for whoever asks about it by its name. Nobody is told more than that there is none but the identity
 * that made it (invariant I6): not who only claims to be the same subject with another token, and nobody at all where a signature over
 * the request's body was the proof, since a question has no such body.
 */

export interface LookupDependencies {
  readonly store: Pick<KeyStore, 'find'>
  readonly outbox: Pick<OutboxStore, 'deadLetters'>
  readonly tokens: Pick<TokenVerifier, 'verify'>
  readonly completions: Completions
  readonly clock: Clock
  readonly namespace: Namespace
  readonly operations: { readonly current: OperationsSettings }
  readonly routes: () => readonly Route[]
}

export type OperationStatus = 'queued' | 'running' | 'completed' | 'uncertain' | 'dead'

export type Found =
  | { readonly kind: 'operation', readonly operation: Operation, /** for how long it was waited, as asked; null if it was not */ readonly waitedMs: number | null }
  /** there is none, or it is somebody else's */
  | { readonly kind: 'none' }
  /** the store, or the keys that verify who asks, do not answer */
  | { readonly kind: 'unavailable', readonly what: 'store' | 'identity', readonly retryAfterMs: number }

export interface Operation {
  readonly route: Route
  readonly policy: Policy
  readonly record: KeyRecord
  readonly status: OperationStatus
  readonly acceptedAt: number
  /** why it is in doubt, or was given up */
  readonly cause: string | null
}

/** `gone`: nobody waits for the answer any more. */
export async function lookUp(operationRef: string, fields: Fields, gone: () => boolean, deps: LookupDependencies): Promise<Found> {
  try {
    return await find(operationRef, fields, gone, deps)
  } catch (error) {
    if (error instanceof StoreUnavailable) return { kind: 'unavailable', what: 'store', retryAfterMs: 1000 }
    throw error
  }
}

async function find(operationRef: string, fields: Fields, gone: () => boolean, deps: LookupDependencies): Promise<Found> {
  const [record] = await deps.store.find({ operationRef }, 1)
  if (record === undefined || record.accepted === null || isForgotten(record, deps)) return NONE
  const route = deps.routes().find(({ name }) => name === record.route)
  if (route?.action.kind !== 'guard') return NONE
  const { policy } = route.action
  const asker = await askerOf(fields, policy, deps)
  if (asker.kind === 'unavailable') return asker
  if (asker.kind === 'nobody' || ownerDigest(deps.namespace.secret, asker.identity) !== record.accepted.owner || asker.witness !== witnessOf(record.parts)) return NONE
  const standing = await statusOf(record, deps)
  const { waitMs } = preferencesOf(fields)
  const grantedMs = moves(standing) && deps.completions.takesMore ? Math.min(waitMs ?? 0, deps.operations.current.longestWaitMs) : 0
  if (grantedMs === 0) return { kind: 'operation', operation: { route, policy, record, acceptedAt: record.accepted.at, ...standing }, waitedMs: null }
  const later = await whenStill({ record, policy, until: deps.clock.monotonicMs() + grantedMs, gone }, deps)
  if (later === null) return NONE
  return { kind: 'operation', operation: { route, policy, ...later }, waitedMs: grantedMs }
}

const NONE: Found = { kind: 'none' }

/** No word comes of an operation that is given up, since its record stays as it is: so often who waits looks for that. */
const DEATH_LOOK_MS = 2000

interface Wait {
  readonly record: KeyRecord
  readonly policy: Policy
  readonly until: number
  readonly gone: () => boolean
}

/** The operation once nothing more becomes of it by itself, or as it stands when the wait is over; null if it is gone by then. */
async function whenStill({ record: { id, operationRef }, policy, until, gone }: Wait, deps: LookupDependencies): Promise<Pick<Operation, 'record' | 'acceptedAt' | 'status' | 'cause'> | null> {
  for (;;) {
    const leftMs = until - deps.clock.monotonicMs()
    const ended = await deps.completions.wait(id, operationRef, Math.min(leftMs, DEATH_LOOK_MS), (seen) => isOver(seen, policy), gone)
    const [record] = await deps.store.find({ operationRef }, 1)
    if (record === undefined || record.accepted === null) return null
    const standing = await statusOf(record, deps)
    if (ended !== null || leftMs <= DEATH_LOOK_MS || !moves(standing) || gone() || !deps.completions.takesMore) return { record, acceptedAt: record.accepted.at, ...standing }
  }
}

function moves({ status }: Pick<Operation, 'status'>): boolean {
  return status === 'queued' || status === 'running'
}

/** Past its retention a completed record is gone, whether the sweep has come by or not. */
function isForgotten(record: KeyRecord, { clock }: LookupDependencies): boolean {
  return record.state === 'completed' && record.retainUntil <= clock.wallMs()
}

type Asker = { readonly kind: 'somebody', readonly identity: string, readonly witness: string | null } | { readonly kind: 'nobody' } | Extract<Found, { kind: 'unavailable' }>

async function askerOf(fields: Fields, { scope, signature }: Policy, { tokens, namespace }: LookupDependencies): Promise<Asker> {
  if (signature !== null) return { kind: 'nobody' }
  const identity = identify(fields, scope)
  switch (identity.kind) {
    case 'known': return { kind: 'somebody', identity: identity.identity, witness: identity.witness === null ? null : witness(namespace.secret, identity.witness) }
    case 'missing': case 'malformed': return { kind: 'nobody' }
    case 'token': return bearerOf(identity.token, identity.scope, tokens)
    default: return identity satisfies never
  }
}

async function bearerOf(token: string, scope: TokenScope, tokens: LookupDependencies['tokens']): Promise<Asker> {
  const verdict = await tokens.verify(token, scope)
  switch (verdict.kind) {
    case 'verified': {
      const known = byClaim(verdict.claims, scope)
      return known === undefined ? { kind: 'nobody' } : { kind: 'somebody', identity: known.identity, witness: null }
    }
    case 'invalid': return { kind: 'nobody' }
    case 'unavailable': return { kind: 'unavailable', what: 'identity', retryAfterMs: verdict.retryAfterMs }
    default: return verdict satisfies never
  }
}

async function statusOf(record: KeyRecord, deps: LookupDependencies): Promise<{ readonly status: OperationStatus, readonly cause: string | null }> {
  switch (record.state) {
    case 'accepted': {
      const [letter] = await deps.outbox.deadLetters({ id: record.operationRef, sink: OPERATIONS_SINK, lane: null, type: null }, 1, null)
      return letter === undefined ? { status: 'queued', cause: null } : { status: 'dead', cause: letter.cause }
    }
    case 'in_flight': return { status: 'running', cause: null }
    case 'completed': return { status: 'completed', cause: null }
    case 'uncertain': return { status: 'uncertain', cause: record.cause }
    default: return record satisfies never
  }
}
