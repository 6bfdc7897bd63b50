import type { AttemptOutcome, StatusPolicy, UpstreamReply } from './attempt.ts'
import { statusOf } from './attempt.ts'
import type { Backoff } from './backoff.ts'
import { without } from './headers.ts'
import { retryAfterMs } from './retry-after.ts'

/*
 * Whether an attempt may be followed by another one. That is a question about the last attempt alone: the loop stops at
 * the first one that must not be repeated, so that every attempt before the last could be.
 */

/** What a route says about sending again. */
export interface RetryPolicy {
  /** all of them; the first one counts */
  readonly attempts: number
  readonly backoff: Backoff
  /** how long an attempt that can be repeated may take, as long as it can be; null: as long as any */
  readonly perTryMs: number | null
  /** the name of the budget that its retries are paid from */
  readonly budget: string
}

/** Why there was no further attempt, in the words of Proxy-Status and of the metric. */
export const GAVE_UP = {
  'not-safe': 'not safe to repeat',
  'no-attempts': 'no attempts left',
  'no-time': 'no time left',
  'no-budget': 'no budget left',
  'too-many': 'too many retries under way',
  'lease': 'the claim cannot be trusted any longer',
  'shutdown': 'this process is stopping',
} as const satisfies Record<string, string>

export type GaveUp = keyof typeof GAVE_UP

/** Methods that change nothing (RFC 9110 section 9.2.1). PUT and DELETE are not here: a repeated DELETE would store 404 for a success. */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

export function isRepeatable(method: string): boolean {
  return REPEATABLE.has(method)
}

/** `over`: there is nothing to repeat. `safely`: it cannot have an effect twice. `no`: it could. */
export type Repetition = 'over' | 'safely' | 'no'

/** `afterLost`: repeating a request that may have run does no harm, by its method or because the upstream honours its key. */
export function repetition(outcome: AttemptOutcome, afterLost: boolean): Repetition {
  switch (outcome.kind) {
    case 'answered': case 'aborted': return 'over'
    case 'not_sent': case 'refused': return 'safely'
    case 'lost': return afterLost ? 'safely' : 'no'
    default: return outcome satisfies never
  }
}

/** How long the upstream asks to wait; 0 if it does not say. */
export function askedToWaitMs(outcome: AttemptOutcome, wallMs: number): number {
  const reply = replyOf(outcome)
  if (reply === null) return 0
  return retryAfterMs(reply.kind === 'whole' ? reply.reply.headers : reply.headers, wallMs) ?? 0
}

/** The upstream honours the key and still works on an earlier attempt: asking again costs none, only time. */
export function isInProgress(outcome: AttemptOutcome, afterDoubt: boolean, { inProgress }: StatusPolicy): boolean {
  return afterDoubt && outcome.kind === 'lost' && outcome.reply !== null && inProgress.includes(statusOf(outcome.reply))
}

/** What an attempt says about the upstream's health; `nothing` where it is about us, or about this one client. */
export function health(outcome: AttemptOutcome): 'well' | 'ill' | 'nothing' {
  switch (outcome.kind) {
    case 'answered': return 'well'
    case 'refused': return statusOf(outcome.reply) >= 500 ? 'ill' : 'nothing'
    case 'not_sent': return outcome.cause === 'no-socket' ? 'nothing' : 'ill'
    case 'lost': return outcome.reply !== null && statusOf(outcome.reply) < 500 ? 'nothing' : 'ill'
    case 'aborted': return outcome.sent && outcome.by === 'deadline' ? 'ill' : 'nothing'
    default: return outcome satisfies never
  }
}

/** The same, of which nothing is left to be read: a reply that still streams must not hold its socket while nobody reads it. */
export function withoutContent(outcome: AttemptOutcome): AttemptOutcome {
  const reply = replyOf(outcome)
  if (reply?.kind !== 'streaming') return outcome
  reply.body.cancel()
  const headers = without(reply.headers, OF_CONTENT)
  const emptied: UpstreamReply = { kind: 'whole', reply: { status: reply.status, headers, body: new Uint8Array(), trailers: [] } }
  switch (outcome.kind) {
    case 'answered': case 'refused': return { kind: outcome.kind, reply: emptied }
    case 'lost': return { ...outcome, reply: emptied }
    case 'not_sent': case 'aborted': return outcome
    default: return outcome satisfies never
  }
}

const OF_CONTENT: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'content-type', 'content-range', 'etag'])

export function replyOf(outcome: AttemptOutcome): UpstreamReply | null {
  switch (outcome.kind) {
    case 'answered': case 'refused': case 'lost': return outcome.reply
    case 'not_sent': case 'aborted': return null
    default: return outcome satisfies never
  }
}
