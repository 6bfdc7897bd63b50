import { mayHaveActed, statusOf, type AttemptOutcome } from '../core/attempt.ts'
import { carryTrace, markRetry } from '../core/attempt-fields.ts'
import { StoreUnavailable, type Random, type SettledLine, type Switched } from '../core/ports.ts'
import { toldPath } from '../core/request-target.ts'
import type { Attributes, Span, Trace } from '../core/tracing.ts'
import type { Call } from './call.ts'

/*
 * What a request's trace tells of its stages. Each of these hands back the very promise that it was given where nothing is recorded.
 */

const NOTHING: Attributes = {}

/** Says of what is sent that it is this attempt: to the upstream in the fields, and to the trace. Null where nothing is recorded. */
export function beginAttempt({ trace, method, target }: Pick<Call, 'trace' | 'method' | 'target'>, number: number, fields: string[], random: Random): Span | null {
  const span = trace === null || trace.spanId === null ? null : trace.begin('attempt', aboutAttempt(method, target, number))
  if (trace !== null && trace.onward !== null) carryTrace(fields, trace.traceId, trace.onward, span?.spanId ?? trace.onward.spanId)
  if (number > 1) markRetry(fields, number, () => span?.spanId ?? parentId(random))
  return span
}

function aboutAttempt(method: string, target: string, number: number): Attributes {
  const about = { 'http.request.method': method, 'url.path': toldPath(target), 'onceward.attempt': number }
  return number === 1 ? about : { ...about, 'http.request.resend_count': number - 1 }
}

/** W3C Trace Context: 8 bytes that are not all zero, which 64 random bits are not. */
function parentId(random: Random): string {
  return Buffer.from(random.token(8), 'base64url').toString('hex')
}

/** Ends the span with the attempt, which never rejects. */
export function ended<T extends { readonly outcome: Promise<AttemptOutcome | Switched> }>(span: Span | null, attempt: T): T {
  if (span !== null) void attempt.outcome.then((outcome) => endAttempt(span, outcome))
  return attempt
}

function endAttempt(span: Span, outcome: AttemptOutcome | Switched): void {
  if (outcome.kind === 'switched') return span.end({ 'http.response.status_code': 101 }, null)
  const reply = 'reply' in outcome ? outcome.reply : null
  const status = reply === null ? NOTHING : { 'http.response.status_code': statusOf(reply) }
  const cause = outcome.kind === 'aborted' ? outcome.by : 'cause' in outcome ? outcome.cause : null
  const failed = cause ?? (reply !== null && statusOf(reply) >= 400 ? String(statusOf(reply)) : null)
  span.end({ ...status, 'onceward.attempt.outcome': outcome.kind, 'onceward.attempt.may_have_run': mayHaveActed(outcome) }, failed)
}

export function beginStage(trace: Trace | null, stage: 'claim' | 'settle'): Span | null {
  return trace === null || trace.spanId === null ? null : trace.begin(stage, NOTHING)
}

/** Of a claim, of a request that is accepted, or of an execution that begins; null: the store did not answer. */
export async function claimEnds<T extends { readonly kind: string, readonly operationRef?: string } | null>(span: Span, claiming: Promise<T>): Promise<T> {
  try {
    const claimed = await claiming
    const kind = claimed?.kind ?? 'unavailable'
    span.end({ 'onceward.claim.outcome': kind, ...(claimed?.operationRef === undefined ? {} : { 'onceward.operation_ref': claimed.operationRef }) }, WITHOUT_STORE.has(kind) ? 'store-unavailable' : null)
    return claimed
  } catch (error) {
    span.end(NOTHING, error instanceof StoreUnavailable ? 'store-unavailable' : 'defect')
    throw error
  }
}

const WITHOUT_STORE: ReadonlySet<string> = new Set(['unavailable', 'unprotected'])

/** A reply at hand needs no claim of the store: the trace has one all the same, which took no time. */
export function claimAtHand(trace: Trace | null, operationRef: string): void {
  beginStage(trace, 'claim')?.end({ 'onceward.claim.outcome': 'replay', 'onceward.claim.tier': 'memory', 'onceward.operation_ref': operationRef }, null)
}

/** What came of the request, for its own span. */
export function aboutEnding({ outcome, operationRef, attempts, cause }: Pick<SettledLine, 'outcome' | 'operationRef' | 'attempts' | 'cause'>): Attributes {
  return {
    'onceward.outcome': outcome, 'onceward.attempts': attempts,
    ...(operationRef === null ? {} : { 'onceward.operation_ref': operationRef }), ...(cause === null ? {} : { 'onceward.cause': cause }),
  }
}
