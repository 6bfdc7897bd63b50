import { firstOf, type Fields } from './headers.ts'
import type { DoubtCause } from './record.ts'
import type { Reply } from './reply.ts'

/*
 * What an attempt proves. The upstream adapter of each protocol makes these outcomes; `judge` turns all outcomes of
 * one key into one verdict. "Sent" comes from the socket (a byte was handed to it), never from an error code: an
 * ECONNRESET looks the same before the first byte and after the upstream has done the work.
 */

/** A reply whose body is all here, or one that is too large or too streaming to keep and flows through us. */
export type UpstreamReply =
  | { readonly kind: 'whole', readonly reply: Reply }
  | { readonly kind: 'streaming', readonly status: number, readonly headers: Fields, readonly body: StreamedBody }

/** The rest of a streaming reply. Reading it to its end or calling `cancel` frees the upstream's socket. */
export interface StreamedBody extends AsyncIterable<Uint8Array> {
  /** what followed the content; empty until its end */
  readonly trailers: Fields
  /** there is something to read, or its end, without waiting */
  ready(): boolean
  cancel(): void
}

export type NotSentCause = 'dns' | 'connect-refused' | 'connect-timeout' | 'connect-failed' | 'tls' | 'no-socket'
export type LostCause = Extract<DoubtCause, 'connection-lost' | 'reply-incomplete' | 'ambiguous-status' | 'deadline'>
/** `client`: it left, which ends an attempt only where no key hangs on it. */
export type AbortedBy = Extract<DoubtCause, 'deadline' | 'shutdown'> | 'client'

export type AttemptOutcome =
  /** the upstream gave a final answer */
  | { readonly kind: 'answered', readonly reply: UpstreamReply }
  /** no byte of the request left */
  | { readonly kind: 'not_sent', readonly cause: NotSentCause }
  /** the upstream says that it did not act */
  | { readonly kind: 'refused', readonly reply: UpstreamReply }
  /** bytes left and no answer came that could be trusted; it may have acted */
  | { readonly kind: 'lost', readonly cause: LostCause, readonly reply: UpstreamReply | null }
  /** we ended it ourselves */
  | { readonly kind: 'aborted', readonly by: AbortedBy, readonly sent: boolean }

export type Verdict =
  | { readonly kind: 'settle', readonly as: 'complete' }
  | { readonly kind: 'settle', readonly as: 'release' }
  | { readonly kind: 'settle', readonly as: 'abandon', readonly cause: DoubtCause }

export type StatusClass = 'answered' | 'refused' | 'lost'
export type StatusRule = 'final' | 'refused' | 'lost'

/** The statuses after which nobody knows what the upstream did: gateways answer them when the origin died mid-work. */
export const AMBIGUOUS: ReadonlySet<number> = new Set([408, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530])

/** Refusals by definition: 425 (RFC 8470) and 429 (RFC 6585) say that the request was not processed. */
const REFUSALS: ReadonlySet<number> = new Set([425, 429])

/** What a route says about statuses, and whether an earlier attempt of this key may already have run. */
export interface StatusPolicy {
  readonly rules: ReadonlyMap<number, StatusRule>
  /** under `resend`: how the upstream says "your first request is still being worked on" */
  readonly inProgress: readonly number[]
  /** what a status from 300 on means that has no rule and no meaning of its own; `refused`: nothing but 2xx is an answer */
  readonly otherwise: 'final' | 'refused'
  /** lower-case names of fields by which something in front of the upstream says that it did not get the request */
  readonly proofs: readonly string[]
}

/**
 * The class of a complete reply by its status. After an attempt that may have run, a status of `inProgress` speaks
 * about that attempt, so it is no answer either.
 */
export function statusClass(status: number, headers: Fields, policy: StatusPolicy, afterDoubt: boolean): StatusClass {
  if (afterDoubt && policy.inProgress.includes(status)) return 'lost'
  const rule = policy.rules.get(status)
  if (status >= 400 && rule !== 'final' && policy.proofs.some((name) => firstOf(headers, name) !== undefined)) return 'refused'
  if (rule !== undefined) return rule === 'final' ? 'answered' : rule
  if (REFUSALS.has(status)) return 'refused'
  if (status === 503 && firstOf(headers, 'retry-after') !== undefined) return 'refused'
  if (AMBIGUOUS.has(status)) return 'lost'
  return policy.otherwise === 'refused' && status >= 300 ? 'refused' : 'answered'
}

const OURS = 'urn:onceward:problem:'

/**
 * The class of a problem report written by another Onceward further up the chain, or undefined for any other reply.
 * Such a report speaks of that Onceward's key and is never stored as the operation's answer.
 */
export function nestedProblemClass(reply: Reply): 'refused' | 'lost' | undefined {
  if (reply.status < 400 || firstOf(reply.headers, 'content-type')?.startsWith('application/problem+json') !== true) return undefined
  let problem: unknown
  try {
    problem = JSON.parse(Buffer.from(reply.body).toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof problem !== 'object' || problem === null || !('type' in problem)) return undefined
  if (typeof problem.type !== 'string' || !problem.type.startsWith(OURS)) return undefined
  return 'may_have_run' in problem && problem.may_have_run === false ? 'refused' : 'lost'
}

/** Statuses that ask for other credentials: an answer, but none to hold the next, properly authorised request to. */
const CREDENTIALS_REFUSED: ReadonlySet<number> = new Set([401, 403, 407])

/**
 * The verdict over all attempts of a key, those before a take-over included (`recovering`). Once one of them may
 * have had an effect, a release is not legal any more, whatever the last attempt says: its "not sent" or "refused"
 * proves nothing about the first.
 */
export function judge(attempts: readonly AttemptOutcome[], recovering: boolean, rules: ReadonlyMap<number, StatusRule>): Verdict {
  const last = attempts.at(-1)
  if (last === undefined) return recovering ? abandon('connection-lost') : { kind: 'settle', as: 'release' }
  const earlier = attempts.slice(0, -1)
  const doubted = recovering || earlier.some(mayHaveActed)
  switch (last.kind) {
    case 'answered': {
      const status = statusOf(last.reply)
      if (!CREDENTIALS_REFUSED.has(status) || rules.get(status) === 'final') return { kind: 'settle', as: 'complete' }
      return doubted ? abandon('ambiguous-status') : { kind: 'settle', as: 'release' }
    }
    case 'refused':
      return doubted ? abandon('ambiguous-status') : { kind: 'settle', as: 'release' }
    case 'not_sent':
      return doubted ? abandon('connection-lost') : { kind: 'settle', as: 'release' }
    case 'lost':
      return abandon(last.cause)
    case 'aborted':
      return last.sent || doubted ? abandon(last.by === 'client' ? 'connection-lost' : last.by) : { kind: 'settle', as: 'release' }
    default:
      return last satisfies never
  }
}

/** True if the upstream may have done the work because of this attempt. */
export function mayHaveActed(outcome: AttemptOutcome): boolean {
  switch (outcome.kind) {
    case 'answered': case 'lost': return true
    case 'refused': case 'not_sent': return false
    case 'aborted': return outcome.sent
    default: return outcome satisfies never
  }
}

export function statusOf(reply: UpstreamReply): number {
  return reply.kind === 'whole' ? reply.reply.status : reply.status
}

function abandon(cause: DoubtCause): Verdict {
  return { kind: 'settle', as: 'abandon', cause }
}
