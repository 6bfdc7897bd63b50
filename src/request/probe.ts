import type { AttemptOutcome, StatusPolicy } from '../core/attempt.ts'
import type { Draft } from '../core/outbox-draft.ts'
import { completedBy, eventsOf } from '../core/outbox-events.ts'
import { judgeProbe, readProbe, type Probe, type ProbePolicy, type ProbeVerdict, type Unclear } from '../core/probe.ts'
import { StoreUnavailable, type Clock, type Journal, type KeyStore, type Meter, type Random, type Upstream } from '../core/ports.ts'
import { readDraft } from '../core/read-draft.ts'
import type { Doubt, KeyId, Resolution } from '../core/record.ts'
import { storable, type StoredReply } from '../core/reply.ts'
import type { Roster } from '../core/roster.ts'
import type { Route } from '../core/route.ts'
import { announce, type AnnounceDependencies } from './announce.ts'
import type { Abortable } from './retry-loop.ts'

/*
 * Asks the upstream about keys in doubt, and writes down what it says. An inquiry is up to `attempts` questions:
 *
 *     question --found--> resolved as completed, with its reply
 *         |  '---absent, and quiet is over--> resolved as not executed: the next request with the key runs
 *         '------anything else--> pause --> question, as long as there are attempts and time; then it stays in doubt
 *
 * One at a time per key in this process; those of several processes do no harm, because only one result is written: the store
 * compares state and fence. Questions have their own few connections, and pay no retry budget: they are bounded by themselves.
 */

/** What a pause between two questions is drawn from: doubled for each further one. */
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 2000

/** Inquiries of one process at one time; a further one is unclear, and made by whoever asks next. */
const MOST_AT_ONCE = 64

/** Statuses mean what they mean to everybody; which of them is an answer is for the policy to say. */
const PLAIN: StatusPolicy = { rules: new Map(), inProgress: [], otherwise: 'final', proofs: [] }
const NO_BODY = new Uint8Array()

export interface InquiryDependencies extends Pick<AnnounceDependencies, 'bell'> {
  readonly store: Pick<KeyStore, 'resolve'>
  readonly service: string
  /** with connections of its own */
  readonly upstream: Pick<Upstream, 'attempt'>
  readonly clock: Clock
  readonly random: Random
  readonly meter: Pick<Meter, 'probed'>
  readonly journal: Pick<Journal, 'info' | 'warn'>
  readonly limits: { readonly socketWaitMs: number, readonly keptReplyBytes: number }
  readonly underWay: Roster<Abortable>
  readonly routes: () => readonly Route[]
  readonly stopping: () => boolean
}

/** A doubt, and the monotonic instant at which it was as old as it says, or older. */
export interface Known extends Doubt {
  readonly knownAt: number
}

export interface Patience {
  /** monotonic: nobody waits for a later answer */
  readonly until: number
  /** questions at most, if the policy allows more */
  readonly questions: number
  /** what is not there may be written down as not executed */
  readonly mayFree: boolean
}

/** `resolved`: the store says something else about the key now, by this inquiry or by somebody else's. */
export type Inquired = 'resolved' | 'unclear'

export class Inquiries {
  readonly #deps: InquiryDependencies
  readonly #asking = new Map<KeyId, Promise<Inquired>>()

  constructor(deps: InquiryDependencies) {
    this.#deps = deps
  }

  /** Never rejects for what the upstream or the store does. */
  inquire(doubt: Known, patience: Patience): Promise<Inquired> {
    const standing = this.#asking.get(doubt.id)
    if (standing !== undefined) return standing
    if (this.#asking.size >= MOST_AT_ONCE) return Promise.resolve(this.#unclear(doubt, 'busy'))
    const inquiry = this.#inquire(doubt, patience).finally(() => this.#asking.delete(doubt.id))
    this.#asking.set(doubt.id, inquiry)
    return inquiry
  }

  async #inquire(doubt: Known, { until, questions, mayFree }: Patience): Promise<Inquired> {
    const { clock, stopping } = this.#deps
    const probe = readProbe(doubt.probe)
    const policy = policyOf(doubt.route, this.#deps.routes())
    if (probe === undefined || policy === null || policy.shape !== probe.shape) return this.#unclear(doubt, 'other-rules')
    const draft = doubt.outbox === null ? null : readDraft(doubt.outbox)
    if (draft === undefined) return this.#unclear(doubt, 'events')
    let why: Unclear = 'no-answer'
    for (let asked = 0; asked < Math.min(questions, policy.attempts); asked += 1) {
      if (asked > 0 && !await this.#pause(asked, until)) break
      if (stopping() || clock.monotonicMs() >= until) break
      const verdict = await this.#ask(doubt, probe, policy, until)
      if (verdict.kind === 'unclear') why = verdict.why
      else if (verdict.kind === 'absent' && !mayFree) why = 'too-early'
      else return this.#write(doubt, verdict, draft)
    }
    return this.#unclear(doubt, why)
  }

  async #ask(doubt: Known, probe: Probe, policy: ProbePolicy, until: number): Promise<ProbeVerdict> {
    const { clock, upstream, limits, underWay } = this.#deps
    const ripe = isRipe(doubt, policy, clock.monotonicMs(), limits.socketWaitMs)
    const credential = policy.credential === null ? [] : [policy.credential.name, policy.credential.value]
    const attempt = upstream.attempt(
      { method: 'GET', target: probe.target, fields: ['Accept-Encoding', 'identity', 'User-Agent', 'onceward-probe', ...probe.fields, ...credential], body: NO_BODY, inform: () => undefined },
      { ...limits, closeDelimited: 'stream', status: PLAIN, afterDoubt: false },
    )
    const place = underWay.enter(attempt)
    const cancel = clock.after(Math.max(0, Math.min(policy.timeoutMs, until - clock.monotonicMs())), () => attempt.abort('deadline'))
    const outcome = await attempt.outcome
    cancel()
    underWay.leave(place)
    return verdictOn(outcome, policy, probe, ripe)
  }

  async #write(doubt: Known, verdict: Exclude<ProbeVerdict, { kind: 'unclear' }>, draft: Draft | null): Promise<Inquired> {
    const { store, meter, journal } = this.#deps
    const { id, fence, route, operationRef } = doubt
    try {
      const resolution = this.#resolutionOf(verdict, operationRef, draft)
      const written = await store.resolve(id, fence, resolution, null)
      if (written === 'written') {
        if (resolution.as === 'completed') announce(resolution.events, this.#deps)
        meter.probed(verdict.kind, route)
        journal.info('probe.resolved', { route, operationRef, id: id.slice(0, 8), as: verdict.kind })
      }
      return 'resolved'
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      return this.#unclear(doubt, 'store')
    }
  }

  #resolutionOf(verdict: Exclude<ProbeVerdict, { kind: 'unclear' }>, operationRef: string, draft: Draft | null): Resolution {
    if (verdict.kind === 'absent') return { as: 'not-executed', operationRef }
    const { status, headers, body, trailers } = verdict.reply
    const reply: StoredReply = { kind: 'kept', reply: { status, headers: storable(headers), body, trailers } }
    return { as: 'completed', reply, events: eventsOf(draft, completedBy(reply), { service: this.#deps.service, operationRef, timeMs: this.#deps.clock.wallMs() }) }
  }

  /** False if there is no time for it. */
  #pause(asked: number, until: number): Promise<boolean> {
    const { clock, random, underWay, stopping } = this.#deps
    if (stopping()) return Promise.resolve(false)
    const delayMs = random.uniform() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (asked - 1))
    if (clock.monotonicMs() + delayMs >= until) return Promise.resolve(false)
    return new Promise((resolve) => {
      const end = (goOn: boolean): void => {
        cancel()
        underWay.leave(place)
        resolve(goOn)
      }
      const cancel = clock.after(delayMs, () => end(true))
      const place = underWay.enter({ abort: () => end(false) })
    })
  }

  #unclear({ route, operationRef, id }: Known, why: Unclear): Inquired {
    this.#deps.meter.probed('unclear', route)
    this.#deps.journal.info('probe.unclear', { route, operationRef, id: id.slice(0, 8), why })
    return 'unclear'
  }
}

/**
 * What is absent counts once nothing can come any more. A doubt begins when it is written down, after the last byte has left; but the
 * holder whose lease ended may have begun an attempt shortly before that still waited for a socket. What was sent without
 * protection may be on its way yet, whatever the record says.
 */
function isRipe({ ageMs, knownAt, cause }: Known, { quietMs }: ProbePolicy, nowMs: number, socketWaitMs: number): boolean {
  if (cause === 'sent-unprotected') return false
  return ageMs + (nowMs - knownAt) >= quietMs + (cause === 'lease-expired' ? socketWaitMs : 0)
}

/** Redirects, refusals and whatever has no whole body are no answers. */
function verdictOn(outcome: AttemptOutcome, policy: ProbePolicy, probe: Probe, ripe: boolean): ProbeVerdict {
  if (outcome.kind !== 'answered') return { kind: 'unclear', why: outcome.kind === 'refused' || (outcome.kind === 'lost' && outcome.reply !== null) ? 'status' : 'no-answer' }
  const { reply } = outcome
  if (reply.kind === 'whole') return judgeProbe(policy, probe, reply.reply, ripe)
  reply.body.cancel()
  return { kind: 'unclear', why: 'content' }
}

function policyOf(name: string, routes: readonly Route[]): ProbePolicy | null {
  const action = routes.find((route) => route.name === name)?.action
  return action?.kind === 'guard' && action.policy.whenUnsure.kind === 'probe' ? action.policy.whenUnsure.probe : null
}
