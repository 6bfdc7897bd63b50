import type { AttemptOutcome, NotSentCause } from '../core/attempt.ts'
import { without } from '../core/headers.ts'
import type { Policy } from '../core/policy.ts'
import type { KeyOutcome, Remembered } from '../core/ports.ts'
import { problem, PROBLEMS } from '../core/problem.ts'
import type { DoubtCause, KeyRecord } from '../core/record.ts'
import { storable, type StoredReply } from '../core/reply.ts'
import type { GaveUp } from '../core/retry.ts'
import { witnessOf } from '../core/witness.ts'
import type { Entry } from './admit.ts'
import type { Tried } from './attempts.ts'
import type { Answer } from './call.ts'
import type { Claimed } from './claim.ts'
import type { Operation } from './lookup.ts'
import type { Settled } from './settle.ts'

/** An answer with what is counted and logged about it. */
export interface Ending {
  readonly answer: Answer
  readonly outcome: KeyOutcome
  readonly operationRef: string | null
  readonly attempts: number
  readonly cause: string | null
}

/** Whom an answer is for: the route's policy, and who may be given what is stored. */
type Asker = Pick<Entry, 'policy' | 'witness'>
/** RFC 9209 section 2.3 has a name, and a status, for each way of not getting through. */
const NOT_SENT: Readonly<Record<NotSentCause, { readonly status: number, readonly proxyError: string }>> = {
  'dns': { status: 502, proxyError: 'dns_error' },
  'connect-refused': { status: 502, proxyError: 'connection_refused' },
  'connect-timeout': { status: 504, proxyError: 'connection_timeout' },
  'connect-failed': { status: 502, proxyError: 'connection_terminated' },
  'tls': { status: 502, proxyError: 'tls_protocol_error' },
  'no-socket': { status: 503, proxyError: 'connection_limit_reached' },
}

/** And for each way of getting no answer that could be trusted. */
const DOUBT_ERRORS: Readonly<Record<string, string>> = {
  'connection-lost': 'connection_terminated',
  'reply-incomplete': 'http_response_incomplete',
  'deadline': 'http_response_timeout',
} satisfies { readonly [C in DoubtCause]?: string }

/** How long a client should wait before it asks again about a request that is being worked on. */
const ASK_AGAIN_MS = 1000

/** Work that was accepted takes its time: sooner there is hardly room again. */
const QUOTA_AGAIN_MS = 10_000

/** The answer to a request that may not run. */
export function notClaimed(claimed: Exclude<Claimed, { kind: 'claimed' | 'unprotected' }>, asker: Asker, wallMs: number): Ending {
  switch (claimed.kind) {
    case 'replay': return replayed(claimed, asker, wallMs)
    case 'busy': return ending(inFlight(claimed.operationRef), 'in_flight', claimed.operationRef)
    case 'mismatch': return mismatch(claimed.differs, claimed.operationRef)
    case 'incomparable': return incomparable(claimed.operationRef)
    case 'uncertain': return ending(unknown(asker.policy, claimed.operationRef, claimed.cause), 'uncertain', claimed.operationRef, { cause: claimed.cause })
    case 'accepted': return accepted(claimed.operationRef, false, false, 0)
    case 'unavailable': return ending(noStore(), 'unavailable', null)
    default: return claimed satisfies never
  }
}

/** The answer to an exact repetition. The one place where a stored reply meets who asks for it (invariant I6). */
export function replayed(stored: Stored, asker: Asker, wallMs: number): Ending {
  const { operationRef } = stored
  if (witnessOf(stored.parts) === asker.witness) return ending(replay(stored.reply, operationRef, stored.retainUntil - wallMs), 'replay', operationRef)
  const detail = 'the reply is given back only to the credential that asked first, and this token is another one; ask again with that one, or look the operation up'
  return ending({ kind: 'problem', problem: problem('reply-withheld', detail, { operationRef }) }, 'replay', operationRef, { cause: 'reply-withheld' })
}

/** What a record, a claim's outcome and a memory know alike of a completed key. */
type Stored = Pick<Remembered, 'parts' | 'operationRef' | 'retainUntil' | 'reply'>

/** What the request that ran is told. */
export function settled(end: Settled, asker: Asker, operationRef: string, { outcomes: { length: attempts }, gaveUp }: Pick<Tried, 'outcomes' | 'gaveUp'>, retainUntil: number, wallMs: number): Ending {
  switch (end.kind) {
    case 'completed':
      return ending({ kind: 'fresh', reply: end.live, ttlMs: retainUntil - wallMs, gaveUp: null }, 'new', operationRef, { attempts })
    case 'released': {
      const cause = end.last?.kind === 'not_sent' ? end.last.cause : null
      const answer: Answer = end.passedOn === null
        ? unreachable(cause, operationRef, gaveUp)
        : { kind: 'fresh', reply: end.passedOn, ttlMs: null, gaveUp }
      return ending(answer, 'new', operationRef, { attempts, cause })
    }
    case 'abandoned': {
      const answer: Answer = end.passedOn === null ? unknown(asker.policy, operationRef, end.cause, gaveUp) : { kind: 'fresh', reply: end.passedOn, ttlMs: null, gaveUp }
      return ending(answer, 'uncertain', operationRef, { attempts, cause: end.cause })
    }
    case 'fenced':
      return superseded(end.found, asker, operationRef, wallMs)
    default:
      return end satisfies never
  }
}

/** What a request is told that was sent although the store was gone. */
export function unprotected(outcome: AttemptOutcome, policy: Policy): Ending {
  const cause = 'sent-unprotected'
  switch (outcome.kind) {
    case 'answered': case 'refused': return ending({ kind: 'unprotected', reply: outcome.reply }, 'unavailable', null, { attempts: 1, cause })
    case 'lost': return ending(outcome.reply === null ? unknown(policy, null, outcome.cause) : { kind: 'unprotected', reply: outcome.reply }, 'unavailable', null, { attempts: 1, cause })
    case 'not_sent': return ending(unreachable(outcome.cause, null), 'unavailable', null, { attempts: 1, cause: outcome.cause })
    case 'aborted': return ending(outcome.sent ? unknown(policy, null, outcome.by) : unreachable(null, null), 'unavailable', null, { attempts: 1, cause })
    default: return outcome satisfies never
  }
}

/** Duplicates that this process kept back meanwhile hear the same: it is all the protection that is left. */
export function unprotectedToDuplicates({ answer }: Ending): Answer {
  if (answer.kind !== 'unprotected') return answer
  if (answer.reply.kind === 'streaming') return inFlight(null)
  const { reply } = answer.reply
  return { kind: 'unprotected', reply: { kind: 'whole', reply: { ...reply, headers: storable(reply.headers) } } }
}

/** What a duplicate that arrived meanwhile is told: never more than what is settled. */
export function toDuplicates(end: Settled, asker: Asker, operationRef: string, retainUntil: number, wallMs: number): Answer {
  switch (end.kind) {
    case 'completed': return replay(end.stored, operationRef, retainUntil - wallMs)
    case 'released': {
      if (end.passedOn?.kind !== 'whole') return inFlight(operationRef)
      const { reply } = end.passedOn
      return { kind: 'fresh', reply: { kind: 'whole', reply: { ...reply, headers: storable(reply.headers) } }, ttlMs: null, gaveUp: null }
    }
    case 'abandoned': return unknown(asker.policy, operationRef, end.cause)
    case 'fenced': return superseded(end.found, asker, operationRef, wallMs).answer
    default: return end satisfies never
  }
}

/** It is stored and will be executed, whatever becomes of the client; one that came again hears the same. */
export function accepted(operationRef: string, fresh: boolean, asked: boolean, waitedMs: number): Ending {
  const applied = [...(asked ? ['respond-async'] : []), ...(waitedMs > 0 ? [`wait=${Math.ceil(waitedMs / 1000)}`] : [])]
  return ending({ kind: 'accepted', operationRef, applied, retryAfterMs: ASK_AGAIN_MS }, fresh ? 'new' : 'in_flight', operationRef)
}

/** To the client whose own request it was: its first answer, though all of it comes from the store. */
export function acceptedReply({ operationRef, reply, retainUntil, attempts }: KeyRecord & { readonly state: 'completed' }, wallMs: number): Ending {
  const ttlMs = retainUntil - wallMs
  const answer: Answer = reply.kind === 'kept' ? { kind: 'fresh', reply: { kind: 'whole', reply: reply.reply }, ttlMs, gaveUp: null } : replay(reply, operationRef, ttlMs)
  return ending(answer, 'new', operationRef, { attempts })
}

export function overQuota(quota: number): Ending {
  const detail = `${quota} accepted requests of this identity wait already; nothing was stored; ask again with the same key when some of them are completed`
  return ending({ kind: 'problem', problem: problem('quota-exceeded', detail, { retryAfterMs: QUOTA_AGAIN_MS }) }, 'unavailable', null, { cause: 'quota' })
}

/** The store did not say in time whether it has the request. */
export function notConfirmed(): Ending {
  const detail = 'the key store did not confirm in time that it has the request, which may be executed yet; ask again with the same key'
  return ending({ kind: 'problem', problem: problem('outcome-not-recorded', detail, { retryAfterMs: ASK_AGAIN_MS }) }, 'unavailable', null)
}

/** A record as a late reader finds it. */
export function superseded(found: KeyRecord | undefined, asker: Asker, operationRef: string, wallMs: number): Ending {
  if (found === undefined) return ending(notRecorded(operationRef), 'unavailable', operationRef)
  switch (found.state) {
    case 'completed': return replayed(found, asker, wallMs)
    case 'in_flight': return ending(inFlight(found.operationRef), 'in_flight', found.operationRef)
    case 'uncertain': return ending(unknown(asker.policy, found.operationRef, found.cause), 'uncertain', found.operationRef, { cause: found.cause })
    case 'accepted': return accepted(found.operationRef, false, false, 0)
    default: return found satisfies never
  }
}

/** What says how long a reply may be kept between here and there: the upstream said it of an answer to a POST, and nobody keeps those. */
const KEPT_BETWEEN: ReadonlySet<string> = new Set(['cache-control', 'expires', 'pragma', 'cdn-cache-control', 'surrogate-control'])

/** Only its own client is given it (invariant I6), and a cache that has the answer to a GET asks nobody. */
function keptNowhere(answer: Answer): Answer {
  if (answer.kind !== 'replay') return answer
  return { ...answer, reply: { ...answer.reply, headers: [...without(answer.reply.headers, KEPT_BETWEEN), 'Cache-Control', 'no-store'] } }
}

/** The stored reply of an operation that its own client asks for, or why there is none yet. */
export function replyOfOperation({ record, policy, status }: Pick<Operation, 'record' | 'policy' | 'status'>, wallMs: number): Answer {
  const { operationRef } = record
  if (record.state === 'completed') return keptNowhere(replay(record.reply, operationRef, record.retainUntil - wallMs))
  if (record.state === 'uncertain') return unknown(policy, operationRef, record.cause)
  const detail = status === 'dead' ? 'its executions came to nothing, and somebody has to look at it; nothing was done' : 'it has not been executed yet; ask again'
  return { kind: 'problem', problem: problem('operation-unfinished', detail, { operationRef, retryAfterMs: status === 'dead' ? null : ASK_AGAIN_MS }) }
}

export function mismatch(differs: readonly string[], operationRef: string | null): Ending {
  const detail = 'this Idempotency-Key was first used for a different request; nothing was sent upstream'
  return ending({ kind: 'problem', problem: problem('key-reused', detail, { operationRef, differs }) }, 'mismatch', operationRef, { cause: differs.join(' ') })
}

/** Never 422, which would tell a client that its retry is another request, and never run: a newer version can tell. */
export function incomparable(operationRef: string | null): Ending {
  const detail = 'a newer version of Onceward recorded this key, and this one cannot compare the requests; nothing was sent upstream; ask again with the same key'
  return ending({ kind: 'problem', problem: problem('record-too-new', detail, { operationRef, retryAfterMs: ASK_AGAIN_MS }) }, 'unavailable', operationRef, { cause: 'record-too-new' })
}

export function duplicateOf(answer: Answer, operationRef: string | null): Ending {
  if (answer.kind === 'unprotected') return ending(answer, 'unavailable', operationRef, { cause: 'sent-unprotected' })
  if (answer.kind === 'accepted') return ending(answer, 'in_flight', operationRef)
  const outcome: KeyOutcome = answer.kind === 'problem' ? (answer.problem.code === 'outcome-unknown' ? 'uncertain' : answer.problem.code === 'reply-not-kept' || answer.problem.code === 'reply-withheld' ? 'replay' : 'in_flight') : 'replay'
  return ending(answer, outcome, operationRef)
}

export function inFlight(operationRef: string | null): Answer {
  const detail = 'the first request with this key has not been answered yet; ask again with the same key'
  return { kind: 'problem', problem: problem('in-flight', detail, { operationRef, retryAfterMs: ASK_AGAIN_MS }) }
}

export function stillRunning(operationRef: string | null): Answer {
  const detail = 'the upstream has the request and may still finish it; ask again with the same key'
  return { kind: 'problem', problem: problem('still-running', detail, { operationRef, retryAfterMs: ASK_AGAIN_MS }) }
}

export function notRecorded(operationRef: string | null): Answer {
  const detail = 'the upstream may have acted, but the key store did not take the outcome in time; ask again with the same key'
  return { kind: 'problem', problem: problem('outcome-not-recorded', detail, { operationRef, retryAfterMs: ASK_AGAIN_MS }) }
}

export function noStore(): Answer {
  return { kind: 'problem', problem: problem('store-unavailable', 'nothing was sent upstream; it is safe to send the request again with the same key', { retryAfterMs: ASK_AGAIN_MS }) }
}

/** The breaker is open: nothing was claimed, and what may be stored of this key was not looked for. */
export function resting(waitMs: number): Ending {
  const detail = 'the upstream fails and is left alone for a while; nothing was sent; ask again with the same key'
  return ending({ kind: 'problem', problem: problem('upstream-resting', detail, { retryAfterMs: waitMs }) }, 'unavailable', null)
}

function unreachable(cause: NotSentCause | null, operationRef: string | null, gaveUp: GaveUp | null = null): Answer {
  const detail = 'no byte of the request reached the upstream; it is safe to send it again'
  return { kind: 'problem', problem: problem('upstream-unreachable', detail, { operationRef, retryAfterMs: ASK_AGAIN_MS, gaveUp, ...(cause === null ? {} : NOT_SENT[cause]) }) }
}

export function unknown(policy: Policy, operationRef: string | null, cause: string, gaveUp: GaveUp | null = null): Answer {
  const detail = 'the request was sent and no answer came back that could be trusted; look the operation up before doing it again, and never retry it under a new key'
  return { kind: 'problem', problem: problem('outcome-unknown', detail, { operationRef, gaveUp, status: policy.unknownStatus, proxyError: DOUBT_ERRORS[cause] ?? PROBLEMS['outcome-unknown'].proxyError }) }
}

function replay(stored: StoredReply, operationRef: string, ttlMs: number): Answer {
  if (stored.kind === 'kept') return { kind: 'replay', reply: stored.reply, ttlMs }
  const detail = `the operation completed with status ${stored.status}; its reply was passed on once and not kept`
  return { kind: 'problem', problem: problem('reply-not-kept', detail, { operationRef }) }
}

function ending(answer: Answer, outcome: KeyOutcome, operationRef: string | null, more: { attempts?: number, cause?: string | null } = {}): Ending {
  return { answer, outcome, operationRef, attempts: more.attempts ?? 0, cause: more.cause ?? null }
}
