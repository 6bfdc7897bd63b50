import { differing, fingerprint, parseSpec } from '../core/fingerprint.ts'
import { keyDigest } from '../core/key.ts'
import { StoreUnavailable, type Clock, type Journal, type KeyStore, type Random } from '../core/ports.ts'
import type { ClaimOutcome, ClaimRequest, Claim } from '../core/record.ts'
import { withWitness } from '../core/witness.ts'
import type { Entry, Namespace } from './admit.ts'
import { persist } from './persist.ts'

export type Claimed =
  | Exclude<ClaimOutcome, { kind: 'mismatch' }>
  | { readonly kind: 'mismatch', readonly differs: readonly string[], readonly operationRef: string }
  | { readonly kind: 'unavailable' }

/**
 * A client that hangs up before its claim left takes its request along; after that it changes nothing. A claim that
 * took longer than the client's deadline is given back: the client was told that nothing had been sent.
 */
export interface Patience {
  gone(): boolean
  overdue(): boolean
}

export interface ClaimDependencies {
  readonly store: KeyStore
  readonly namespace: Namespace
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
}

/**
 * May this request run? A record made under another fingerprint specification is compared under its own: the policy
 * may have been edited since, and an edit must not turn every old key into a mismatch.
 */
export async function claim(entry: Entry, deps: ClaimDependencies, patience: Patience): Promise<Claimed> {
  const request = claimRequest(entry, deps)
  const first = await ask(request, deps, patience)
  if (first.kind !== 'mismatch') return first
  const spec = first.spec === request.spec ? undefined : parseSpec(first.spec)
  if (spec === undefined) return { kind: 'mismatch', differs: differing(first.parts, request.parts), operationRef: first.operationRef }
  const { method, target, fields } = entry.call
  const underOldSpec = fingerprint(deps.namespace.secret, spec, { method, target, fields, body: entry.body })
  const second = await ask({ ...request, fingerprint: underOldSpec.digest, spec: underOldSpec.spec, parts: withWitness(underOldSpec.parts, entry.witness) }, deps, patience)
  if (second.kind !== 'mismatch') return second
  return { kind: 'mismatch', differs: differing(second.parts, underOldSpec.parts), operationRef: second.operationRef }
}

async function ask(request: ClaimRequest, deps: ClaimDependencies, patience: Patience): Promise<ClaimOutcome | { kind: 'unavailable' }> {
  try {
    const outcome = await deps.store.claim(request, () => patience.gone() || patience.overdue())
    if (outcome.kind === 'claimed' && patience.overdue()) {
      releaseUnused(outcome.claim, deps)
      return { kind: 'unavailable' }
    }
    return outcome
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    // The row may stand although we will not use it: nothing was sent, so it must not end as a doubt.
    if (error.written === 'unknown') releaseUnused({ id: request.id, holder: request.holder, fence: 1 }, deps)
    return { kind: 'unavailable' }
  }
}

/** A row that this holder took over from somebody else has a higher fence and is left to be a doubt, which it was. */
function releaseUnused(claimed: Claim, deps: ClaimDependencies): void {
  if (claimed.fence > 1) return
  void persist(() => deps.store.release(claimed), deps)
}

function claimRequest(entry: Entry, deps: ClaimDependencies): ClaimRequest {
  const { whenUnsure } = entry.policy
  return {
    id: entry.id,
    keyDigest: keyDigest(deps.namespace.secret, entry.key),
    operationRef: operationRef(deps),
    fingerprint: entry.fingerprint.digest,
    spec: entry.fingerprint.spec,
    parts: withWitness(entry.fingerprint.parts, entry.witness),
    holder: deps.random.token(16),
    route: entry.route,
    leaseMs: entry.policy.leaseMs,
    retentionMs: entry.retentionMs,
    onOrphan: whenUnsure.kind === 'resend' ? { kind: 'take', withinMs: whenUnsure.withinMs } : { kind: 'hold' },
  }
}

/**
 * Random and unique, with the time in front: stores keep an index of these names, and names that grow are added at its
 * end instead of all over it. 9 base-36 digits hold milliseconds until the year 5188.
 */
function operationRef({ clock, random }: ClaimDependencies): string {
  return `op_${clock.wallMs().toString(36).padStart(9, '0')}${random.token(12)}`
}
