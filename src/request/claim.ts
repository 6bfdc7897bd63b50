import { differing } from '../core/fingerprint.ts'
import { keyDigest } from '../core/key.ts'
import { draftText, renderDraft, type Draft } from '../core/outbox-draft.ts'
import { renderProbe } from '../core/probe.ts'
import { StoreUnavailable, type KeyStore } from '../core/ports.ts'
import type { ClaimOutcome, ClaimRequest, Claim } from '../core/record.ts'
import type { Roster } from '../core/roster.ts'
import { ownTraceparent, traceIds, type Trace } from '../core/tracing.ts'
import { withWitness } from '../core/witness.ts'
import type { Entry, Namespace } from './admit.ts'
import type { Call } from './call.ts'
import { fingerprintUnder } from './compare.ts'
import { persistAside, type PersistDependencies } from './persist.ts'
import { beginStage, claimEnds } from './spans.ts'

export type Claimed =
  | Exclude<ClaimOutcome, { kind: 'mismatch' }>
  | { readonly kind: 'mismatch', readonly differs: readonly string[], readonly operationRef: string }
  /** the record's specification is unknown to this version: nobody here can say whether it is the same request */
  | { readonly kind: 'incomparable', readonly operationRef: string }
  | { readonly kind: 'unavailable' }
  /** the store is gone, and the route says to send in spite of it; a row that may stand is on its way to be a doubt */
  | { readonly kind: 'unprotected' }

/**
 * A client that hangs up before its claim left takes its request along; after that it changes nothing. A claim that
 * took longer than the client's deadline is given back: the client was told that nothing had been sent.
 */
export interface Patience {
  gone(): boolean
  overdue(): boolean
  /** on a route that goes on without the store: told once the store has taken too long; null on all others */
  readonly hung: Promise<'hung'> | null
}

/** What the upstream can be asked with. */
export type Asking = Pick<Entry, 'policy' | 'route' | 'key' | 'identityName' | 'body'> & { readonly call: Pick<Call, 'fields'> }

export interface ClaimDependencies extends PersistDependencies {
  readonly store: KeyStore
  readonly namespace: Namespace
  /** what a shutdown waits for */
  readonly unsettled: Roster<Promise<unknown>>
}

/**
 * May this request run? A record that was made under another fingerprint specification is asked about again under its
 * own: a mismatch is said only by equal specifications. Each further round means that the record was replaced in
 * between, and the patience of the client ends them.
 */
export function claim(entry: Entry, draft: Draft | null, deps: ClaimDependencies, patience: Patience): Promise<Claimed> {
  const span = beginStage(entry.call.trace, 'claim')
  const claiming = findOut(entry, draft, deps, patience)
  return span === null ? claiming : claimEnds(span, claiming)
}

async function findOut(entry: Entry, draft: Draft | null, deps: ClaimDependencies, patience: Patience): Promise<Claimed> {
  let request = claimRequest(entry, draft, deps)
  for (;;) {
    let outcome: ClaimOutcome | WithoutStore
    try {
      outcome = await ask(request, entry.call.trace, deps, patience)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      const sent = patience.hung !== null && !patience.gone() && !patience.overdue()
      failed(error, request, sent, entry.call.trace, deps)
      return { kind: sent ? 'unprotected' : 'unavailable' }
    }
    if (outcome.kind === 'claimed' && patience.overdue()) {
      releaseUnused(outcome.claim, deps)
      return { kind: 'unavailable' }
    }
    if (outcome.kind !== 'mismatch') return outcome
    if (outcome.spec === request.spec) return { kind: 'mismatch', differs: differing(outcome.parts, request.parts), operationRef: outcome.operationRef }
    const under = requestUnder(outcome.spec, request, entry, deps.namespace)
    if (under === undefined) return { kind: 'incomparable', operationRef: outcome.operationRef }
    request = under
  }
}

/** The same request as a record of this specification would have it; undefined for a specification that this version does not know. */
export function requestUnder(spec: string, request: ClaimRequest, entry: Entry, namespace: Namespace): ClaimRequest | undefined {
  const under = fingerprintUnder(spec, entry, namespace)
  return under === undefined ? undefined : { ...request, fingerprint: under.digest, spec: under.spec, parts: withWitness(under.parts, entry.witness) }
}

type WithoutStore = Extract<Claimed, { kind: 'unavailable' | 'unprotected' }>

/** The store's own promise, on nearly all routes: a frame of ours around it would be made for every key. */
function ask(request: ClaimRequest, trace: Trace | null, deps: ClaimDependencies, patience: Patience): Promise<ClaimOutcome | WithoutStore> {
  if (patience.hung === null) return deps.store.claim(request, () => patience.gone() || patience.overdue())
  let hung = false
  const claiming = deps.store.claim(request, () => patience.gone() || patience.overdue() || hung)
  return Promise.race([claiming, patience.hung.then(() => {
    hung = true
    return 'hung' as const
  })]).then((outcome) => {
    if (outcome !== 'hung') return outcome
    const sent = !patience.gone()
    void settleLate(claiming, request, sent, trace, deps)
    return { kind: sent ? 'unprotected' : 'unavailable' }
  })
}

/** The claim went on without anybody who waits for it. */
async function settleLate(claiming: Promise<ClaimOutcome>, request: ClaimRequest, sent: boolean, trace: Trace | null, deps: ClaimDependencies): Promise<void> {
  try {
    const late = await claiming
    if (late.kind === 'claimed') disown(late.claim, sent, deps)
  } catch (error) {
    failed(error, request, sent, trace, deps)
  }
}

/**
 * The row may stand although the claim failed, or come to stand yet: a claim that the store has not finished is one that a
 * release does not find. So it is asked again, as the same holder, until the store says what there is.
 */
function failed(error: unknown, request: ClaimRequest, sent: boolean, trace: Trace | null, deps: ClaimDependencies): void {
  if (!(error instanceof StoreUnavailable)) deps.journal.error('claim.failed', { ...traceIds(trace), error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
  else if (error.written === 'unknown') disownOnceKnown(request, sent, deps)
}

function disownOnceKnown(request: ClaimRequest, sent: boolean, deps: ClaimDependencies): void {
  persistAside(async () => {
    const outcome = await deps.store.claim({ ...request, onOrphan: { kind: 'hold' } })
    if (outcome.kind === 'claimed') disown(outcome.claim, sent, deps)
    // The outage outlasted the lease. If it is our own row that is in doubt now, it never had a reason to; another's is fenced.
    if (outcome.kind === 'uncertain' && !sent) releaseUnused({ id: request.id, holder: request.holder, fence: 1 }, deps)
  }, deps)
}

/**
 * A row that nobody will settle. If nothing was sent it must not end as a doubt. If its request is sent unprotected it
 * must not end as free: the next one with this key is told that nobody knows.
 */
function disown(claimed: Claim, sent: boolean, deps: ClaimDependencies): void {
  if (sent) persistAside(() => deps.store.abandon(claimed, 'sent-unprotected', 1), deps)
  else releaseUnused(claimed, deps)
}

/** A row that this holder took over from somebody else has a higher fence and is left to be a doubt, which it was. */
function releaseUnused(claimed: Claim, deps: ClaimDependencies): void {
  if (claimed.fence > 1) return
  persistAside(() => deps.store.release(claimed), deps)
}

/** Of a claim, or of a request that is accepted. */
export function claimRequest(entry: Entry, draft: Draft | null, deps: ClaimDependencies): ClaimRequest {
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
    probe: probeOf(entry),
    outbox: draft === null ? null : draftText(draft),
    onOrphan: whenUnsure.kind === 'resend' ? { kind: 'take', withinMs: whenUnsure.withinMs } : { kind: 'hold' },
  }
}

/** How the upstream can be asked about this request; rendered now, because whoever asks may not have it any more. */
export function probeOf({ policy: { whenUnsure }, key, identityName, call, body }: Asking): string | null {
  return whenUnsure.kind === 'probe' ? renderProbe(whenUnsure.probe, { key, identity: identityName, fields: call.fields, body }) : null
}

/** What this request gives to the events of its completion; null on a route without any. */
export function draftOf({ policy, key, identityName, route, call, body }: Entry): Draft | null {
  return policy.outbox.length === 0 ? null : renderDraft(policy.outbox, { key, identity: identityName, route, fields: call.fields, body, traceparent: ownTraceparent(call.trace) })
}

/**
 * Random and unique, with the time in front: stores keep an index of these names, and names that grow are added at its
 * end instead of all over it. 9 base-36 digits hold milliseconds until the year 5188.
 */
function operationRef({ clock, random }: ClaimDependencies): string {
  return `op_${clock.wallMs().toString(36).padStart(9, '0')}${random.token(12)}`
}
