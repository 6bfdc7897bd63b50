import { judge, statusClass, statusOf, type AttemptOutcome, type UpstreamReply } from '../core/attempt.ts'
import { differing, fingerprintOfDigest, type Fingerprint } from '../core/fingerprint.ts'
import { keyId } from '../core/key.ts'
import type { Policy } from '../core/policy.ts'
import type { Clock, Journal, KeyOutcome, Random, TokenVerifier } from '../core/ports.ts'
import type { Route } from '../core/route.ts'
import type { ShadowEnd, ShadowMeter, ShadowOutcome, ShadowRequest, ShadowVerdict } from '../core/shadow.ts'
import { witness, withWitness } from '../core/witness.ts'
import { admitUnder, capture, type Admission, type CaptureDependencies } from './admit.ts'
import type { PassedOn, PassingCall } from './pass-on.ts'
import { BodyWatch, needsCopy, type BodyCopy, type SeenBody } from './shadow-body.ts'
import { MOST_PENDING, type ShadowQueue } from './shadow-queue.ts'

/*
 * A request of a shadowed route, beside its own way to the upstream, which waits for nothing here:
 *
 *     on its way:   head --> body flows by --> upstream --> answer flows back
 *                    |           |                             |
 *     beside it:   admit --> fingerprint --> look (queue) --> count    end (queue)
 *
 * What enforcement would do is asked of the same functions that do it (admitUnder, capture, judge); what a retry of ours
 * would have changed is not guessed at: the one attempt counts as the last one.
 */

export interface ShadowDependencies extends CaptureDependencies {
  readonly queue: ShadowQueue
  readonly tokens: TokenVerifier
  readonly meter: ShadowMeter
  readonly journal: Pick<Journal, 'info' | 'warn'>
  readonly clock: Clock
  readonly random: Random
  /** room for one body of at most so many bytes, out of what all copies may take */
  readonly copy: (mostBytes: number) => BodyCopy
}

/** A look at what would have been must not fill a table for years. */
export const LONGEST_NOTE_MS = 7 * 24 * 60 * 60 * 1000

/** Lines about what nobody could look up: an outage lasts longer than one request. */
const LINE_EVERY_MS = 10_000

type Guarded = Extract<Admission, { kind: 'guarded' }>

/** One request while it is watched. */
export interface Watched {
  /** its answer was delivered, with this status; a reply that broke off in its middle counts as 502 */
  ended(answer: PassedOn, delivered: number): void
  /** what became of it is not known, because of a defect of ours */
  lost(): void
}

export class Shadow {
  readonly #deps: ShadowDependencies
  #judging = 0
  #unknown = 0
  #lastLineAt = -Infinity

  constructor(deps: ShadowDependencies) {
    this.#deps = deps
  }

  /** Called before anything of the request's body was read. */
  watch(call: PassingCall, route: Route, policy: Policy): Watched {
    return new Watch(call, route, policy, this.#deps, this)
  }

  /** False while too many wait for the keys of an issuer. */
  mayJudge(): boolean {
    return this.#judging < MOST_PENDING
  }

  /** A token that is being verified. */
  async judged(admission: Promise<Admission>): Promise<Admission | null> {
    this.#judging += 1
    try {
      return await admission
    } catch {
      return null // a defect of the verifier must not end a process that only looks
    } finally {
      this.#judging -= 1
    }
  }

  count(outcome: ShadowOutcome, { name: route }: Route, more: Readonly<Record<string, string>>): void {
    const { meter, journal, clock } = this.#deps
    meter.shadowed(outcome, route)
    if (outcome === 'new') return
    if (outcome !== 'unknown') return journal.info('shadow.would', { route, outcome, ...more })
    this.#unknown += 1
    const now = clock.monotonicMs()
    if (now < this.#lastLineAt + LINE_EVERY_MS) return
    journal.warn('shadow.unknown', { route, requests: this.#unknown })
    this.#unknown = 0
    this.#lastLineAt = now
  }
}

/** `open`: nothing is known yet. `looking`: the store has been asked, or knows of it. `over`: it is counted, and its end says nothing. */
type Stage = { readonly kind: 'open' } | { readonly kind: 'looking', readonly request: ShadowRequest } | { readonly kind: 'over' }

const OVER: Stage = { kind: 'over' }

class Watch implements Watched {
  readonly #call: PassingCall
  readonly #route: Route
  readonly #policy: Policy
  readonly #deps: ShadowDependencies
  readonly #shadow: Shadow
  readonly #body: BodyWatch | null = null
  readonly #admission: Admission | Promise<Admission | null>
  #stage: Stage = { kind: 'open' }
  /** how it ended; null while it runs */
  #end: End | null = null
  /** the store had no note of its key. It is counted by its end, as enforcement counts. */
  #isNew = false
  #seen = false

  constructor(call: PassingCall, route: Route, policy: Policy, deps: ShadowDependencies, shadow: Shadow) {
    this.#call = call
    this.#route = route
    this.#policy = policy
    this.#deps = deps
    this.#shadow = shadow
    const admission = admitUnder(policy, route, call, deps.tokens)
    const verifying = admission instanceof Promise
    this.#admission = verifying ? shadow.judged(admission) : admission
    if (verifying && !shadow.mayJudge()) this.#count('unknown')
    else if (!verifying && admission.kind !== 'guarded') this.#unguarded(admission)
    else call.watchContent(this.#body = new BodyWatch(deps.limits.requestBodyBytes, needsCopy(policy, call.fields) ? deps.copy(deps.limits.requestBodyBytes) : null, (body) => this.#take(body)))
  }

  ended(answer: PassedOn, delivered: number): void {
    // Enforcement would have read all of a body that the upstream did not wait for; and what a client breaks off is no request.
    if (this.#body?.leave() === true && !this.#seen) return answer.kind === 'none' ? void (this.#stage = OVER) : this.#count('unknown')
    this.#endAs(endOf(answer, delivered, this.#policy))
  }

  lost(): void {
    if (this.#body?.leave() === true && !this.#seen) return this.#count('unknown')
    this.#endAs(unsure(this.#policy))
  }

  #endAs(end: End): void {
    this.#end = end
    this.#sayEnd()
    this.#countNew()
  }

  #countNew(): void {
    if (!this.#isNew || this.#end === null) return
    this.#isNew = false
    this.#shadow.count(this.#end.outcome, this.#route, { method: this.#call.method })
  }

  #sayEnd(): void {
    if (this.#stage.kind !== 'looking' || this.#end === null) return
    const { id, holder } = this.#stage.request
    this.#stage = OVER
    this.#deps.queue.end({ id, holder, as: this.#end.as })
  }

  #take(body: SeenBody): void {
    this.#seen = true
    if (this.#admission instanceof Promise) void this.#admission.then((admission) => this.#judge(admission, body))
    else this.#judge(this.#admission, body)
  }

  #judge(admission: Admission | null, body: SeenBody): void {
    if (admission?.kind === 'guarded') {
      const named = this.#named(admission, body)
      if (typeof named === 'string') this.#count(named)
      else this.#look(this.#request(admission, named.id, named.fingerprint))
    } else if (admission === null) this.#count('unknown')
    else this.#unguarded(admission)
    this.#body?.forget()
  }

  /** Its name, or what it counts as because it has none. */
  #named(admitted: Guarded, body: SeenBody): { readonly id: string, readonly fingerprint: Fingerprint } | ShadowOutcome {
    const { namespace: { secret, service } } = this.#deps
    if (body.kind === 'digest' && admitted.key !== null) {
      return { id: keyId(secret, service, admitted.identity, admitted.key), fingerprint: fingerprintOfDigest(body.digest, secret, this.#policy.fingerprint, this.#call) }
    }
    if (body.kind === 'digest') return 'unknown'
    const entry = capture(body, this.#call, admitted, this.#deps)
    if (!('kind' in entry) || entry.kind === 'guarded') return entry
    return entry.kind === 'refused' ? outcomeOf(entry.outcome) : 'unknown'
  }

  #request(admitted: Guarded, id: string, fingerprint: Fingerprint): ShadowRequest {
    const { namespace: { secret }, random } = this.#deps
    const { leaseMs, deadlineMs, lingerMs } = this.#policy
    return {
      id, fingerprint: fingerprint.digest, spec: fingerprint.spec,
      parts: withWitness(fingerprint.parts, admitted.credential === null ? null : witness(secret, admitted.credential)),
      holder: random.token(16),
      leaseMs: Math.max(leaseMs, deadlineMs + lingerMs), // nobody renews it, and no attempt would have gone on for longer
      retentionMs: Math.min(admitted.retentionMs, LONGEST_NOTE_MS),
    }
  }

  #look(request: ShadowRequest): void {
    this.#stage = { kind: 'looking', request }
    if (this.#deps.queue.look(request, (verdict) => this.#told(verdict, request))) this.#sayEnd()
  }

  #told(verdict: ShadowVerdict | null, { id, parts }: ShadowRequest): void {
    const digest = { id: id.slice(0, 8), method: this.#call.method }
    if (verdict?.kind === 'new') {
      this.#isNew = true
      return this.#countNew()
    }
    if (verdict === null) return this.#shadow.count('unknown', this.#route, digest) // it may stand there all the same, so its end is told
    if (verdict.kind === 'mismatch') this.#shadow.count('mismatch', this.#route, { ...digest, differs: differing(verdict.parts, parts).join(' ') })
    else this.#shadow.count(verdict.kind, this.#route, digest)
    this.#stage = OVER
  }

  #unguarded(admission: Exclude<Admission, Guarded>): void {
    if (admission.kind === 'bypass') this.#stage = OVER // no key, and none was needed
    else this.#count(outcomeOf(admission.outcome), { cause: admission.problem.code })
  }

  #count(outcome: ShadowOutcome, more: Readonly<Record<string, string>> = {}): void {
    this.#stage = OVER
    this.#shadow.count(outcome, this.#route, { method: this.#call.method, ...more })
  }
}

/** `unavailable`: an issuer's keys could not be read, or there was no room for the body; nobody can say what would have been. */
function outcomeOf(outcome: KeyOutcome): ShadowOutcome {
  return outcome === 'unavailable' ? 'unknown' : outcome
}

/** What enforcement would have written of this one attempt, and counted it as. */
interface End {
  readonly as: ShadowEnd['as']
  readonly outcome: 'new' | 'uncertain'
}

function endOf(answer: PassedOn, delivered: number, policy: Policy): End {
  switch (answer.kind) {
    case 'none': return COMPLETED // its client left, which would have ended nothing
    case 'problem': return answer.problem.code === 'upstream-unreachable' ? RELEASED : unsure(policy)
    case 'fresh': {
      const verdict = judge([outcomeOfReply(answer.reply, delivered, policy.status)], false, policy.status.rules)
      switch (verdict.as) {
        case 'complete': return COMPLETED
        case 'release': return RELEASED
        case 'abandon': return unsure(policy)
        default: return verdict satisfies never
      }
    }
    default: return answer satisfies never
  }
}

const COMPLETED: End = { as: 'completed', outcome: 'new' }
const RELEASED: End = { as: 'released', outcome: 'new' }

/** Where the upstream honours keys, the next request would be sent again. */
function unsure({ whenUnsure }: Policy): End {
  return { as: whenUnsure.kind === 'resend' ? 'released' : 'uncertain', outcome: 'uncertain' }
}

function outcomeOfReply(reply: UpstreamReply, delivered: number, policy: Policy['status']): AttemptOutcome {
  const status = statusOf(reply)
  if (delivered !== status) return { kind: 'lost', cause: 'reply-incomplete', reply: null }
  const kind = statusClass(status, reply.kind === 'whole' ? reply.reply.headers : reply.headers, policy, false)
  return kind === 'lost' ? { kind, cause: 'ambiguous-status', reply } : { kind, reply }
}
