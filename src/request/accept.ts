import type { OutboxEvent } from '../core/event.ts'
import { differing } from '../core/fingerprint.ts'
import { ownerDigest } from '../core/key.ts'
import { operationLane, OPERATIONS_SINK, type OperationsSettings } from '../core/operations.ts'
import { StoreUnavailable } from '../core/ports.ts'
import type { AcceptedWork, AcceptOutcome, ClaimRequest } from '../core/record.ts'
import { carryTrace } from '../core/attempt-fields.ts'
import { storedFields, storedRequest } from '../core/stored-request.ts'
import { traceIds, type Trace } from '../core/tracing.ts'
import type { Acceptance } from './acceptance.ts'
import type { Entry } from './admit.ts'
import { announce, type AnnounceDependencies } from './announce.ts'
import { accepted, acceptedReply, mismatch, incomparable, notClaimed, notConfirmed, overQuota, replayed, type Ending } from './answer.ts'
import { claimRequest, draftOf, requestUnder, type ClaimDependencies } from './claim.ts'
import { isOver, type Completions } from './completion.ts'
import { beginStage, claimEnds } from './spans.ts'
import { dropBody, follow, type WaitDependencies } from './wait.ts'

/*
 * A request that is answered 202: stored with its key in one transaction, and executed afterwards (execute.ts).
 *
 *     capture -> accept --accepted, now or before--> (wait for the completion, if the client does) --> its reply, or 202
 *                  |--replay, mismatch, busy, uncertain--> as any other request with the key
 *                  |--over quota--> 429
 *                  '--no answer of the store--> 503, whatever `store_outage` says: what is not stored is not accepted
 */

export interface AcceptDependencies extends ClaimDependencies, WaitDependencies, Pick<AnnounceDependencies, 'bell'> {
  readonly completions: Completions
  readonly operations: { readonly current: OperationsSettings }
}

type Asked = AcceptOutcome | { readonly kind: 'incomparable', readonly operationRef: string } | { readonly kind: 'differs', readonly differs: readonly string[], readonly operationRef: string }

export async function accept(entry: Entry, acceptance: Acceptance, deps: AcceptDependencies): Promise<Ending> {
  if (entry.call.gone()) return notClaimed({ kind: 'unavailable' }, entry, deps.clock.wallMs()) // nobody hears it, and nothing is stored
  const settings = deps.operations.current
  let asked: Asked | 'late'
  try {
    const span = beginStage(entry.call.trace, 'claim')
    const asking = ask(entry, settings, deps)
    asked = await inTime(span === null ? asking : claimEnds(span, asking), entry, deps)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return error.written === 'no' ? notClaimed({ kind: 'unavailable' }, entry, deps.clock.wallMs()) : notConfirmed()
  }
  if (asked === 'late') return notConfirmed()
  switch (asked.kind) {
    case 'accepted': return answered(entry, asked, acceptance, settings, deps)
    case 'over-quota': return overQuota(settings.quota)
    case 'differs': return mismatch(asked.differs, asked.operationRef)
    case 'incomparable': return incomparable(asked.operationRef)
    case 'busy': return follow(entry, notClaimed(asked, entry, deps.clock.wallMs()), null, deps)
    case 'replay': return replayed(asked, entry, deps.clock.wallMs())
    case 'uncertain': return notClaimed(asked, entry, deps.clock.wallMs())
    case 'mismatch': throw new Error('a mismatch is told by its parts')
    default: return asked satisfies never
  }
}

/** As a claim is: under another specification it is asked again, since only equal ones say that two requests differ. */
async function ask(entry: Entry, { quota }: OperationsSettings, deps: AcceptDependencies): Promise<Asked> {
  let request = claimRequest(entry, draftOf(entry), deps)
  const work = workOf(entry, request, quota, deps)
  for (;;) {
    const outcome = await deps.store.accept(request, work)
    if (outcome.kind === 'accepted' && outcome.fresh) announce([work.event], deps)
    if (outcome.kind !== 'mismatch') return outcome
    if (outcome.spec === request.spec) return { kind: 'differs', differs: differing(outcome.parts, request.parts), operationRef: outcome.operationRef }
    const under = requestUnder(outcome.spec, request, entry, deps.namespace)
    if (under === undefined) return { kind: 'incomparable', operationRef: outcome.operationRef }
    request = under
  }
}

function workOf(entry: Entry, { id, operationRef }: ClaimRequest, quota: number, { namespace }: AcceptDependencies): AcceptedWork {
  const { route, key, identity, identityName, retentionMs, call: { method, target, fields, hop, trace }, body } = entry
  const owner = ownerDigest(namespace.secret, identity)
  const payload = storedRequest({ id, operationRef, route, key, identityName, retentionMs, method, target, fields: withTrace(storedFields(fields), trace), hop }, body)
  const event: OutboxEvent = { id: operationRef, sink: OPERATIONS_SINK, lane: operationLane(owner, operationRef), type: 'operation.accepted', payload, flaw: null }
  return { event, owner, quota }
}

/** Its execution goes on with our own span where there is one. */
function withTrace(fields: string[], trace: Trace | null): string[] {
  if (trace !== null && trace.onward !== null) carryTrace(fields, trace.traceId, trace.onward, trace.onward.spanId)
  return fields
}

/** Whoever is told that the store took too long may have been accepted all the same. */
function inTime(asking: Promise<Asked>, { policy: { claimWithinMs }, call }: Entry, { clock, journal }: AcceptDependencies): Promise<Asked | 'late'> {
  return new Promise((resolve, reject) => {
    let late = false
    const cancel = clock.after(claimWithinMs, () => {
      late = true
      resolve('late')
    })
    asking.then(resolve, (error: unknown) => {
      if (!late) return reject(error instanceof Error ? error : new Error('an accept failed', { cause: error }))
      if (!(error instanceof StoreUnavailable)) journal.error('accept.failed', { ...traceIds(call.trace), error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    }).finally(cancel)
  })
}

/** The reply itself where the client waits long enough for it, else the place where it will be. */
async function answered(entry: Entry, { operationRef, fresh }: Extract<AcceptOutcome, { kind: 'accepted' }>, { asked, waitMs }: Acceptance, { longestWaitMs }: OperationsSettings, deps: AcceptDependencies): Promise<Ending> {
  const grantedMs = deps.completions.takesMore ? Math.min(waitMs ?? 0, longestWaitMs) : 0
  dropBody(entry)
  const found = await deps.completions.wait(entry.id, operationRef, grantedMs, (record) => isOver(record, entry.policy), () => entry.call.gone())
  if (found?.state === 'completed') return fresh ? acceptedReply(found, deps.clock.wallMs()) : replayed(found, entry, deps.clock.wallMs())
  return accepted(operationRef, fresh, asked, grantedMs)
}
