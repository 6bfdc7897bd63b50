import type { AcceptOutcome, BeginRequest, Begun, Claim, ClaimOutcome, ClaimRequest, Completion, DoubtCause, Eviction, Forgetting, KeyRecord, Resolution, WriteOutcome } from './record.ts'
import { witnessOf } from './witness.ts'

/*
 * The machine of record.ts as pure functions: a record and a wish in, an outcome and a change out. Stores that
 * decide in the process (embedded, in memory) run these; Postgres says the same in SQL, and the contract suite
 * holds both to it.
 */

export type Change =
  | { readonly kind: 'keep' }
  | { readonly kind: 'put', readonly record: KeyRecord }
  | { readonly kind: 'delete' }

export interface Judged<Outcome> {
  readonly outcome: Outcome
  readonly change: Change
}

const KEEP: Change = { kind: 'keep' }
const FENCED: Judged<WriteOutcome> = { outcome: 'fenced', change: KEEP }
const WRITTEN_BEFORE: Judged<WriteOutcome> = { outcome: 'written', change: KEEP }

export function onClaim(found: KeyRecord | undefined, request: ClaimRequest, nowMs: number): Judged<ClaimOutcome> {
  if (found === undefined || isFree(found, nowMs)) return claimNew(request, nowMs)
  if (found.holder === request.holder && found.state === 'in_flight' && found.accepted === null) return { outcome: claimed(found), change: KEEP }
  const outcome = standing(found, request, nowMs)
  if (outcome !== null) return { outcome, change: KEEP }
  if (request.onOrphan.kind === 'take' && found.holder !== request.holder && sameWitness(found, request) && nowMs < found.createdAt + request.onOrphan.withinMs) {
    const record = takenOver(found, request, nowMs)
    return { outcome: claimed(record), change: { kind: 'put', record } }
  }
  return inDoubt(found, nowMs)
}

/** `room`: the owner's quota allows one more. */
export function onAccept(found: KeyRecord | undefined, request: ClaimRequest, owner: string, room: boolean, nowMs: number): Judged<AcceptOutcome> {
  const { operationRef } = request
  if (found === undefined || isFree(found, nowMs)) {
    if (!room) return { outcome: { kind: 'over-quota' }, change: KEEP }
    const record: KeyRecord = { ...firstOf(request, nowMs), accepted: { at: nowMs, owner }, state: 'accepted' }
    return { outcome: { kind: 'accepted', operationRef, fresh: true }, change: { kind: 'put', record } }
  }
  if (found.accepted !== null && found.operationRef === operationRef) return { outcome: { kind: 'accepted', operationRef, fresh: true }, change: KEEP }
  const outcome = standing(found, request, nowMs)
  if (outcome === null) return inDoubt(found, nowMs)
  return { outcome: outcome.kind === 'accepted' ? { ...outcome, fresh: false } : outcome, change: KEEP }
}

export function onBegin(found: KeyRecord | undefined, request: BeginRequest, nowMs: number): Judged<Begun> {
  const { operationRef, holder, onOrphan } = request
  if (found === undefined || found.operationRef !== operationRef || found.accepted === null || isFree(found, nowMs)) return { outcome: { kind: 'gone' }, change: KEEP }
  if (found.state === 'completed') return { outcome: { kind: 'completed' }, change: KEEP }
  if (found.state === 'accepted') {
    // Times of its execution count from here, however long it has waited.
    const record: KeyRecord = { ...takenOver(found, request, nowMs), createdAt: nowMs, retainUntil: nowMs + found.retainUntil - found.createdAt }
    return { outcome: begun(record, false), change: { kind: 'put', record } }
  }
  // Nobody knows any more whether it was begun or taken over the first time.
  if (found.state === 'in_flight' && found.holder === holder) return { outcome: begun(found, onOrphan.kind === 'take'), change: KEEP }
  if (found.state === 'in_flight' && found.leaseUntil > nowMs) return { outcome: { kind: 'busy', retryAfterMs: found.leaseUntil - nowMs }, change: KEEP }
  if (onOrphan.kind === 'take' && nowMs < found.createdAt + onOrphan.withinMs) {
    const record = takenOver(found, request, nowMs)
    return { outcome: begun(record, true), change: { kind: 'put', record } }
  }
  const { outcome: { operationRef: _, ...outcome }, change } = inDoubt(found, nowMs)
  return { outcome, change }
}

export function onRenew(found: KeyRecord | undefined, claim: Claim, leaseMs: number, nowMs: number): Judged<WriteOutcome> {
  if (!holds(found, claim) || found.state !== 'in_flight') return FENCED
  return { outcome: 'written', change: { kind: 'put', record: { ...found, leaseUntil: nowMs + leaseMs } } }
}

export function onComplete(found: KeyRecord | undefined, claim: Claim, completion: Completion, nowMs: number): Judged<WriteOutcome> {
  if (!holds(found, claim) || found.state === 'accepted') return FENCED
  if (found.state === 'completed') return WRITTEN_BEFORE
  const record: KeyRecord = {
    ...base(found), state: 'completed', completedAt: nowMs, reply: completion.reply, attempts: found.attempts + completion.attempts, probe: null, outbox: null,
    retainUntil: found.state === 'uncertain' || found.accepted !== null ? retainedAfterDoubt(found, nowMs) : found.retainUntil,
  }
  return { outcome: 'written', change: { kind: 'put', record } }
}

/** Nothing there is what a release wants, so a repeated one succeeds. What was accepted waits again, and is no less for its holder to release. */
export function onRelease(found: KeyRecord | undefined, claim: Claim): Judged<WriteOutcome> {
  if (found === undefined) return WRITTEN_BEFORE
  if (!holds(found, claim) || found.state === 'completed') return FENCED
  if (found.state === 'accepted') return WRITTEN_BEFORE
  return { outcome: 'written', change: found.accepted === null ? { kind: 'delete' } : { kind: 'put', record: { ...base(found), state: 'accepted' } } }
}

export function onAbandon(found: KeyRecord | undefined, claim: Claim, cause: DoubtCause, attempts: number, nowMs: number): Judged<WriteOutcome> {
  if (!holds(found, claim) || found.state === 'completed' || found.state === 'accepted') return FENCED
  if (found.state === 'uncertain') return WRITTEN_BEFORE
  return { outcome: 'written', change: { kind: 'put', record: { ...doubtful(found, cause, nowMs), attempts: found.attempts + attempts } } }
}

/** The row changes hands, so that its old holder's late answer cannot overwrite what was decided here. */
export function onResolve(found: KeyRecord | undefined, fence: number, resolution: Resolution, nowMs: number): Judged<WriteOutcome> {
  if (found === undefined || found.state !== 'uncertain' || found.fence !== fence) return FENCED
  switch (resolution.as) {
    case 'not-executed': {
      const { operationRef } = resolution
      if (operationRef !== null && operationRef !== found.operationRef) return FENCED
      return { outcome: 'written', change: found.accepted === null ? { kind: 'delete' } : { kind: 'put', record: { ...base(found), holder: RESOLVER, fence: fence + 1, state: 'accepted' } } }
    }
    case 'completed': {
      const record: KeyRecord = {
        ...base(found), holder: RESOLVER, fence: fence + 1, state: 'completed', completedAt: nowMs, reply: resolution.reply, probe: null, outbox: null,
        retainUntil: retainedAfterDoubt(found, nowMs),
      }
      return { outcome: 'written', change: { kind: 'put', record } }
    }
    default: return resolution satisfies never
  }
}

/** Holder and fence stay: the holder that repeats its completion is told that it is written, as before. */
export function onEvict(found: KeyRecord | undefined, nowMs: number): Judged<Eviction> {
  if (found === undefined || isFree(found, nowMs)) return { outcome: 'absent', change: KEEP }
  if (found.state !== 'completed') return { outcome: 'refused', change: KEEP }
  if (found.reply.kind === 'not-kept') return { outcome: 'evicted', change: KEEP }
  return { outcome: 'evicted', change: { kind: 'put', record: { ...found, reply: { kind: 'not-kept', status: found.reply.reply.status } } } }
}

/** While a lease runs somebody may be sending: freeing the key then would be a second execution by our own hand. */
export function onForget(found: KeyRecord | undefined, nowMs: number): Judged<Forgetting> {
  if (found === undefined || isFree(found, nowMs)) return { outcome: 'absent', change: KEEP }
  if (found.state === 'in_flight' && found.leaseUntil > nowMs) return { outcome: 'refused', change: KEEP }
  return { outcome: 'forgotten', change: { kind: 'delete' } }
}

export function onReap(found: KeyRecord, nowMs: number): KeyRecord | undefined {
  return found.state === 'in_flight' && found.leaseUntil <= nowMs ? doubtful(found, 'lease-expired', nowMs) : undefined
}

/** The dead letter of an accepted operation is thrown away: with it goes what would execute it. */
export function onDiscard(found: KeyRecord | undefined): Change {
  if (found === undefined || found.accepted === null) return KEEP
  switch (found.state) {
    case 'accepted': return { kind: 'delete' }
    case 'in_flight': case 'uncertain': return { kind: 'put', record: { ...found, accepted: null } }
    case 'completed': return KEEP
    default: return found satisfies never
  }
}

/**
 * Whether the event of an accepted operation goes with this change, which is a resolve's or a forget's: nothing is left to be executed.
 * Where its own holder completes it, whoever delivers the event knows by itself.
 */
export function endsWork(found: KeyRecord | undefined, { change }: Judged<unknown>): found is KeyRecord {
  return found !== undefined && found.accepted !== null && (change.kind === 'delete' || (change.kind === 'put' && change.record.state === 'completed'))
}

/** A completed record past its retention counts as gone, whether the sweep has come by or not. */
export function isFree(found: KeyRecord, nowMs: number): boolean {
  return found.state === 'completed' && found.retainUntil <= nowMs
}

/** Not a possible holder: those are 22 base64url characters. */
const RESOLVER = 'resolver'

function claimNew(request: ClaimRequest, nowMs: number): Judged<ClaimOutcome> {
  const record: KeyRecord = { ...firstOf(request, nowMs), accepted: null, state: 'in_flight', leaseUntil: nowMs + request.leaseMs }
  return { outcome: claimed(record), change: { kind: 'put', record } }
}

function firstOf({ id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, probe, outbox, retentionMs }: ClaimRequest, nowMs: number): Omit<Base, 'accepted'> {
  return { id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, probe, outbox, fence: 1, attempts: 0, createdAt: nowMs, retainUntil: nowMs + retentionMs }
}

/** What a request is told of the record as it is; null for a doubt, and for a lease that ended. */
function standing(found: KeyRecord, { spec, fingerprint }: ClaimRequest, nowMs: number): Exclude<ClaimOutcome, { kind: 'claimed' | 'uncertain' }> | null {
  // Mismatch before busy: a client told to wait would wait for an answer that can never be its own.
  if (found.spec !== spec || found.fingerprint !== fingerprint) return { kind: 'mismatch', spec: found.spec, parts: found.parts, operationRef: found.operationRef }
  if (found.state === 'completed') {
    const { reply, fence, parts, operationRef, retainUntil } = found
    return { kind: 'replay', reply, fence, fingerprint, spec, parts, operationRef, retainUntil }
  }
  if (found.accepted !== null) return { kind: 'accepted', operationRef: found.operationRef }
  return found.state === 'in_flight' && found.leaseUntil > nowMs ? { kind: 'busy', retryAfterMs: found.leaseUntil - nowMs, operationRef: found.operationRef } : null
}

function inDoubt(found: KeyRecord, nowMs: number): Judged<Extract<ClaimOutcome, { kind: 'uncertain' }>> {
  const doubt = found.state === 'uncertain' ? found : doubtful(found, 'lease-expired', nowMs)
  const { since, cause, operationRef, fence, probe, outbox } = doubt
  return {
    outcome: { kind: 'uncertain', since, cause, operationRef, fence, probe, outbox, ageMs: nowMs - since },
    change: doubt === found ? KEEP : { kind: 'put', record: doubt },
  }
}

function takenOver(found: KeyRecord, { holder, leaseMs }: Pick<ClaimRequest, 'holder' | 'leaseMs'>, nowMs: number): KeyRecord {
  return { ...base(found), holder, fence: found.fence + 1, state: 'in_flight', leaseUntil: nowMs + leaseMs }
}

function begun({ id, holder, fence, retainUntil, outbox }: KeyRecord, recovering: boolean): Begun {
  return { kind: 'claimed', claim: { id, holder, fence }, recovering, retainUntil, outbox }
}

function claimed(record: KeyRecord): ClaimOutcome {
  const { id, holder, fence, operationRef, retainUntil } = record
  return { kind: 'claimed', claim: { id, holder, fence }, recovering: fence > 1, operationRef, retainUntil }
}

/** Another credential than the one that asked first is told of the doubt and sends nothing: nobody has verified that both are one client. */
function sameWitness(found: KeyRecord, request: ClaimRequest): boolean {
  return witnessOf(found.parts) === witnessOf(request.parts)
}

function holds(found: KeyRecord | undefined, claim: Claim): found is KeyRecord {
  return found !== undefined && found.holder === claim.holder && found.fence === claim.fence
}

function doubtful(found: KeyRecord, cause: DoubtCause, nowMs: number): KeyRecord & { state: 'uncertain' } {
  return { ...base(found), state: 'uncertain', since: nowMs, cause }
}

/** A doubt may end long after the claim's retention, and what was accepted may wait as long: the answer is kept as long as any other, from now. */
function retainedAfterDoubt(found: KeyRecord, nowMs: number): number {
  return Math.max(found.retainUntil, nowMs + (found.retainUntil - found.createdAt))
}

type Base = Omit<KeyRecord, 'state' | 'leaseUntil' | 'completedAt' | 'reply' | 'since' | 'cause'>

function base(found: KeyRecord): Base {
  const { id, keyDigest, operationRef, fingerprint, spec, parts, holder, fence, route, createdAt, retainUntil, attempts, probe, outbox, accepted } = found
  return { id, keyDigest, operationRef, fingerprint, spec, parts, holder, fence, route, createdAt, retainUntil, attempts, probe, outbox, accepted }
}
