import type { Clock, KeyStore } from '../core/ports.ts'
import { draftText, type Draft } from '../core/outbox-draft.ts'
import type { ClaimOutcome } from '../core/record.ts'
import type { Entry } from './admit.ts'
import { probeOf, type Asking, type Claimed } from './claim.ts'
import { persist, type PersistDependencies } from './persist.ts'
import type { Inquiries } from './probe.ts'
import type { Settled } from './settle.ts'

/*
 * When a request asks the upstream about a doubt: its own, after an attempt that was lost, or one that it came upon.
 *
 *     claim --uncertain--> inquiry --resolved--> claim again: replay, or run once
 *                             '--unclear--> outcome-unknown
 *     settle --abandoned--> inquiry --found--> the reply that is stored now
 *                             '--absent, unclear--> outcome-unknown; what is absent so early may come yet
 */

export interface AskDependencies extends PersistDependencies {
  readonly store: KeyStore
  readonly clock: Clock
  readonly inquiries: Inquiries
}

/** `claimAgain` after an inquiry that resolved the doubt; monotonic `deadlineAt`: the client waits until then. */
export async function askAboutFound(claimed: Extract<Claimed, { kind: 'uncertain' }>, entry: Entry, deadlineAt: number, deps: AskDependencies, claimAgain: () => Promise<Claimed>): Promise<Claimed> {
  if (claimed.probe === null || entry.policy.whenUnsure.kind !== 'probe') return claimed
  const { fence, operationRef, cause, probe, outbox, ageMs } = claimed
  const doubt = { id: entry.id, fence, route: entry.route, operationRef, cause, probe, outbox, ageMs, knownAt: deps.clock.monotonicMs() }
  const end = await deps.inquiries.inquire(doubt, { until: deadlineAt, questions: entry.policy.whenUnsure.probe.attempts, mayFree: true })
  return end === 'resolved' && deps.clock.monotonicMs() < deadlineAt ? claimAgain() : claimed
}

export async function askAboutOwn(end: Extract<Settled, { kind: 'abandoned' }>, { claim, operationRef }: Extract<ClaimOutcome, { kind: 'claimed' }>, draft: Draft | null, entry: Asking, deadlineAt: number, deps: AskDependencies): Promise<Settled> {
  if (entry.policy.whenUnsure.kind !== 'probe') return end
  const probe = probeOf(entry)
  if (probe === null) return end
  const { id } = claim
  const doubt = { id, fence: claim.fence, route: entry.route, operationRef, cause: end.cause, probe, outbox: draft === null ? null : draftText(draft), ageMs: 0, knownAt: deps.clock.monotonicMs() }
  const inquired = await deps.inquiries.inquire(doubt, { until: deadlineAt, questions: entry.policy.whenUnsure.probe.attempts, mayFree: false })
  if (inquired === 'unclear') return end
  const [found] = await persist(() => deps.store.find({ id }, 1), deps)
  if (found?.state !== 'completed' || found.operationRef !== operationRef) return end
  if (end.passedOn?.kind === 'streaming') end.passedOn.body.cancel()
  return { kind: 'fenced', found }
}
