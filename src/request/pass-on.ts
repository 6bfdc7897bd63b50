import type { Readable } from 'node:stream'
import type { AttemptOutcome, StatusPolicy } from '../core/attempt.ts'
import { tellDeadline } from '../core/attempt-fields.ts'
import type { DeadlineHeader } from '../core/deadline.ts'
import { forwardedFields } from '../core/forwarding.ts'
import { firstOf } from '../core/headers.ts'
import type { AttemptLimits, Clock, Meter, Random, Switched, Upstream, UpstreamRequest } from '../core/ports.ts'
import { problem, type Problem, type ProblemCode } from '../core/problem.ts'
import type { GaveUp } from '../core/retry.ts'
import type { Roster } from '../core/roster.ts'
import { beginAttempt, ended } from './spans.ts'
import type { Answer, Call } from './call.ts'
import type { Abortable } from './retry-loop.ts'

/** A call that is not captured: its body flows from the client to the upstream, as fast as the slower of the two. */
export interface PassingCall extends Call {
  /** The body as it comes, or null if there is none. Called once, and never together with `body`. */
  content(): Readable | null
  /** Shows the content to somebody as it passes. Called before `content`, if at all. */
  watchContent(watch: ContentWatch): void
  /** Runs `task` once the client has left; the returned function takes it back. */
  whenGone(task: () => void): () => void
}

/** Somebody who looks on, and holds nothing up: never throws, and takes no time to speak of. */
export interface ContentWatch {
  chunk(chunk: Buffer): void
  /** that was all of it; without content there is this alone */
  complete(): void
}

/** Nothing is stored for such a call, so nothing is replayed. */
export type PassedOn = Exclude<Answer, { readonly kind: 'replay' | 'unprotected' | 'accepted' }>

export interface PassingDependencies {
  readonly upstream: Upstream
  readonly meter: Pick<Meter, 'took'>
  readonly clock: Clock
  readonly random: Random
  readonly limits: { readonly socketWaitMs: number }
  /** so that a shutdown can end them */
  readonly underWay: Roster<Abortable>
}

/**
 * Sends a request that no key hangs on, once; pass-repeatedly.ts sends those again whose route says so. What the
 * upstream answers is passed on as it comes, whatever its status. The client leaving ends it, at any time.
 *
 * `deadlineMs` bounds the wait for the answer from the moment the whole request is on its way, as the deadline of a
 * guarded request does; a slow upload is not the upstream's fault. It is no bound on the answer's body. With `deadlineTo` the
 * upstream is told.
 */
export async function passOn(call: PassingCall, route: string, deadlineMs: number | null, deps: PassingDependencies, deadlineTo: DeadlineHeader | null = null): Promise<PassedOn> {
  const content = call.content()
  const request = requestOf(call, content)
  if (deadlineMs !== null && deadlineTo !== null) tellDeadline(request.fields, deadlineTo, deadlineMs)
  const span = beginAttempt(call, 1, request.fields, deps.random)
  const sentAt = deps.clock.monotonicMs()
  const attempt = ended(span, deps.upstream.attempt(request, limitsOf(deps)))
  const cancel = deadlineMs === null ? null : deadline(deadlineMs, content, attempt, deps.clock)
  const outcome = await whileWaited(call, attempt, deps)
  deps.meter.took('upstream', deps.clock.monotonicMs() - sentAt, route, null)
  cancel?.()
  return answerTo(outcome, call)
}

/** Asks the upstream for another protocol; see listener/tunnel.ts for what follows. */
export async function askToSwitch(call: PassingCall, protocol: string, deps: PassingDependencies): Promise<PassedOn | Switched> {
  const request = requestOf(call, null)
  const span = beginAttempt(call, 1, request.fields, deps.random)
  const outcome = await whileWaited(call, ended(span, deps.upstream.handshake(request, protocol, limitsOf(deps))), deps)
  if (outcome.kind !== 'switched') return answerTo(outcome, call)
  if (!call.gone()) return outcome
  outcome.socket.destroy()
  return { kind: 'none' }
}

function requestOf(call: PassingCall, content: Readable | null): UpstreamRequest {
  const { method, target } = call
  const fields = forwardedFields(call.fields, call.hop)
  const length = firstOf(call.fields, 'content-length')
  if (content !== null && length !== undefined) fields.push('Content-Length', length) // else it is sent in chunks, as it came
  return { method, target, fields, body: content ?? NOTHING, inform: (status, interim) => call.inform(status, interim) }
}

const NOTHING = new Uint8Array()

/** Every reply streams, and no status means anything to us. */
function limitsOf({ limits: { socketWaitMs } }: PassingDependencies): AttemptLimits {
  return { socketWaitMs, keptReplyBytes: null, closeDelimited: 'stream', status: NO_MEANING, afterDoubt: false }
}

const NO_MEANING: StatusPolicy = { rules: new Map(), inProgress: [], otherwise: 'final', proofs: [] }

async function whileWaited<T>(call: PassingCall, attempt: Abortable & { readonly outcome: Promise<T> }, deps: PassingDependencies): Promise<T> {
  const takeBack = call.whenGone(() => attempt.abort('client'))
  const place = deps.underWay.enter(attempt)
  try {
    return await attempt.outcome
  } finally {
    takeBack()
    deps.underWay.leave(place)
  }
}

/** Starts to count once the body has left; the returned function stops it. */
function deadline(ms: number, content: Readable | null, attempt: Abortable, clock: Clock): () => void {
  let cancel: () => void = () => undefined
  const start = (): void => {
    cancel = clock.after(ms, () => attempt.abort('deadline'))
  }
  if (content === null) start()
  else content.once('end', start)
  return () => {
    content?.off('end', start)
    cancel()
  }
}

export function answerTo(outcome: AttemptOutcome, call: Call, gaveUp: GaveUp | null = null): PassedOn {
  if (call.gone() || (outcome.kind === 'aborted' && outcome.by === 'client')) {
    if ('reply' in outcome && outcome.reply?.kind === 'streaming') outcome.reply.body.cancel()
    return { kind: 'none' }
  }
  switch (outcome.kind) {
    case 'answered': case 'refused': case 'lost':
      return outcome.reply === null ? failed('upstream-failed', 'the connection to the upstream broke before an answer came', { gaveUp }) : { kind: 'fresh', reply: outcome.reply, ttlMs: null, gaveUp }
    case 'not_sent':
      return failed('upstream-unreachable', 'no connection to the upstream could be made', { gaveUp, retryAfterMs: ASK_AGAIN_MS })
    case 'aborted':
      return outcome.sent ? failed('upstream-timeout', 'the upstream did not answer in time') : failed('upstream-unreachable', 'no connection to the upstream was free in time', { retryAfterMs: ASK_AGAIN_MS })
    default:
      return outcome satisfies never
  }
}

const ASK_AGAIN_MS = 1000

function failed(code: ProblemCode, detail: string, more: Pick<Partial<Problem>, 'retryAfterMs' | 'gaveUp'> = {}): PassedOn {
  return { kind: 'problem', problem: problem(code, detail, more) }
}
