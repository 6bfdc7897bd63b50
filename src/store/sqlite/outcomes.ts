import type { AcceptOutcome, BeginRequest, Begun, ClaimOutcome, ClaimRequest, OnOrphan, WriteOutcome } from '../../core/record.ts'
import { surprised } from './connection.ts'
import { openReply, replyOf } from './rows.ts'
import { copyOf, type Answer, type WiredRequest } from './wire.ts'

/* What the main thread asks about one key, and what the worker's answers say. */

export function wiredRequest({ id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, leaseMs, retentionMs, onOrphan, probe, outbox }: ClaimRequest): WiredRequest {
  return [id, keyDigest, operationRef, fingerprint, spec, parts, holder, route, leaseMs, retentionMs, withinMs(onOrphan), probe, outbox]
}

/** Null to leave an orphan as it is. */
export function withinMs(onOrphan: OnOrphan): number | null {
  return onOrphan.kind === 'take' ? onOrphan.withinMs : null
}

export function writeOutcome(answer: Answer): WriteOutcome {
  return answer[0] === 'written' || answer[0] === 'fenced' ? answer[0] : surprised(answer)
}

export function claimOutcome(answer: Answer, bodies: readonly Uint8Array[], { id, holder }: ClaimRequest): ClaimOutcome {
  if (answer[0] === 'claimed') return { kind: 'claimed', claim: { id, holder, fence: answer[1] }, recovering: answer[2], operationRef: answer[3], retainUntil: answer[4] }
  return answer[0] === 'accepted' ? { kind: 'accepted', operationRef: answer[1] } : toldOf(answer, bodies)
}

export function acceptOutcome(answer: Answer, bodies: readonly Uint8Array[]): AcceptOutcome {
  if (answer[0] === 'accepted') return { kind: 'accepted', operationRef: answer[1], fresh: answer[2] }
  return answer[0] === 'over-quota' ? { kind: 'over-quota' } : toldOf(answer, bodies)
}

export function begunFrom(answer: Answer, { id, holder }: BeginRequest): Begun {
  if (answer[0] === 'begun') return { kind: 'claimed', claim: { id, holder, fence: answer[1] }, recovering: answer[2], retainUntil: answer[3], outbox: answer[4] }
  if (answer[0] === 'completed' || answer[0] === 'gone') return { kind: answer[0] }
  if (answer[0] === 'busy') return { kind: 'busy', retryAfterMs: answer[1] }
  if (answer[0] !== 'uncertain') return surprised(answer)
  const { operationRef: _, ...doubt } = doubtFrom(answer)
  return doubt
}

/** What a claim and a request to be accepted are both told of a record that stands there. */
function toldOf(answer: Answer, bodies: readonly Uint8Array[]): Exclude<ClaimOutcome, { kind: 'claimed' | 'accepted' }> {
  if (answer[0] === 'busy') return { kind: 'busy', retryAfterMs: answer[1], operationRef: answer[2] }
  if (answer[0] === 'mismatch') return { kind: 'mismatch', spec: answer[1], parts: answer[2], operationRef: answer[3] }
  if (answer[0] === 'uncertain') return doubtFrom(answer)
  if (answer[0] !== 'replay') return surprised(answer)
  const [, [status, headers, trailers, body], fence, fingerprint, spec, parts, operationRef, retainUntil] = answer
  return { kind: 'replay', reply: openReply(replyOf(status, headers, trailers, copyOf(body, bodies))), fence, fingerprint, spec, parts, operationRef, retainUntil }
}

function doubtFrom([, since, cause, operationRef, fence, probe, ageMs, outbox]: Answer & ['uncertain', ...unknown[]]): Extract<ClaimOutcome, { kind: 'uncertain' }> {
  return { kind: 'uncertain', since, cause, operationRef, fence, probe, outbox, ageMs }
}
