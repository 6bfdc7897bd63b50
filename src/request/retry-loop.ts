import type { AttemptOutcome } from '../core/attempt.ts'
import { backoffMs } from '../core/backoff.ts'
import type { Breaker } from '../core/breaker.ts'
import type { Attempt, Clock, Meter, Random } from '../core/ports.ts'
import { askedToWaitMs, health, repetition, withoutContent, type GaveUp, type RetryPolicy } from '../core/retry.ts'
import type { Roster } from '../core/roster.ts'
import type { RetryPool, RetryPools } from './retry-pools.ts'

export type Abortable = Pick<Attempt, 'abort'>

export interface RetryDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly meter: Pick<Meter, 'retried' | 'gaveUp' | 'took'>
  readonly pools: RetryPools
  readonly breaker: Breaker | null
  /** what a shutdown ends: attempts, and delays before them */
  readonly underWay: Roster<Abortable>
  /** true once nothing new may begin */
  readonly stopping: () => boolean
}

/** One request on its way through the loop; guarded ones and those that pass differ in these. */
export interface Course {
  readonly route: string
  readonly retry: RetryPolicy
  /** monotonic: no retry begins after it */
  readonly deadlineAt: number
  /** from when the loop begins: an attempt that is still under way then is ended. The same for all requests of a route if it can be: see host/delay-queue.ts. */
  readonly withinMs: number
  /** Sends it; `number` is 1 for the first attempt. */
  send(number: number): Attempt
  /** A request that may have run may be sent again. */
  repeatsLost(): boolean
  /** the upstream says that an earlier sending is being worked on: to ask again is no attempt of its own */
  isStillWorking(outcome: AttemptOutcome): boolean
  /** May an attempt still start? */
  trusted(): boolean
  /** Runs `task` once nobody wants the answer any more, which ends the delays of requests that pass; the returned function takes it back. */
  whenGone(task: () => void): () => void
}

interface Retry {
  readonly delayMs: number
}

/** A retry that is paid for, or why there is none; `gone`: nobody wants it. */
type Decision = { readonly kind: 'retry', readonly retry: Retry } | { readonly kind: 'stop', readonly why: GaveUp } | { readonly kind: 'gone' }

/**
 * The one loop that sends requests again. It only counts, waits and pays: core/retry.ts judges each attempt, and
 * core/attempt.ts all of them together. A first attempt that is answered never comes here; see attempts.ts.
 *
 *     attempt --over--> end
 *        |  '--not safe | no attempts | no time | no budget | ...--> end, and why
 *        '--paid for--> delay --(shutdown, client gone, lease not trusted)--> end, and why
 *                         '--> attempt
 */
export class RetryLoop {
  readonly #course: Course
  readonly #deps: RetryDependencies
  readonly #outcomes: AttemptOutcome[]
  readonly #pool: RetryPool
  #retries = 0
  #toldToWait = 0
  #previousMs = 0
  #current: Attempt | null = null

  /** `outcomes` has what was tried already, and gets what will be. */
  constructor(course: Course, outcomes: AttemptOutcome[], deps: RetryDependencies) {
    this.#course = course
    this.#outcomes = outcomes
    this.#deps = deps
    this.#pool = deps.pools.of(course.retry.budget)
  }

  /** Why it gave up; null if there was nothing to repeat. */
  async run(): Promise<GaveUp | null> {
    const cancel = this.#deps.clock.after(this.#course.withinMs, () => this.#current?.abort('deadline'))
    const why = await this.#run()
    cancel()
    if (why !== null) this.#deps.meter.gaveUp(why)
    return why
  }

  async #run(): Promise<GaveUp | null> {
    let decided: Decision | null = this.#outcomes.length === 0 ? await this.#try() : null
    for (;;) {
      const last = this.#outcomes.at(-1)
      if (last === undefined) return null
      const decision: Decision | null = decided ?? this.#next(last)
      if (decision === null) return null
      if (decision.kind === 'gone') return null
      if (decision.kind === 'stop') return decision.why
      this.#outcomes[this.#outcomes.length - 1] = withoutContent(last) // its socket is wanted
      decided = await this.#again(decision.retry)
    }
  }

  /** What follows from an attempt; null if it is over. */
  #next(last: AttemptOutcome): Decision | null {
    const again = repetition(last, this.#course.repeatsLost())
    if (again === 'over') return null
    if (again === 'no') return { kind: 'stop', why: 'not-safe' }
    return this.#pay(askedToWaitMs(last, this.#deps.clock.wallMs()), this.#course.isStillWorking(last), this.#outcomes.length)
  }

  /** The cheap reasons first: a retry that will not be is not paid for. */
  #pay(waitMs: number, stillWorking: boolean, made: number): Decision {
    const { clock, random, stopping } = this.#deps
    const { retry, deadlineAt } = this.#course
    if (stopping()) return { kind: 'stop', why: 'shutdown' }
    if (!stillWorking && made - this.#toldToWait >= retry.attempts) return { kind: 'stop', why: 'no-attempts' }
    const backoff = backoffMs(retry.backoff, this.#retries, this.#previousMs, random.uniform())
    const delayMs = waitMs + backoff
    if (clock.monotonicMs() + delayMs >= deadlineAt) return { kind: 'stop', why: 'no-time' }
    const refused = this.#pool.enter()
    if (refused !== null) return { kind: 'stop', why: refused }
    if (stillWorking) this.#toldToWait += 1
    this.#previousMs = backoff
    return { kind: 'retry', retry: { delayMs } }
  }

  /** One retry that is paid for: its delay and its attempt. */
  async #again({ delayMs }: Retry): Promise<Decision | null> {
    const { meter } = this.#deps
    try {
      const why = await this.#pause(delayMs)
      if (why === 'gone') return { kind: 'gone' }
      if (why !== null) return { kind: 'stop', why }
      if (this.#deps.clock.monotonicMs() >= this.#course.deadlineAt) return { kind: 'stop', why: 'no-time' } // timers of a busy process come late
      if (!this.#course.trusted()) return { kind: 'stop', why: 'lease' }
      this.#retries += 1
      meter.retried(this.#retries, delayMs, this.#course.route)
      return await this.#try()
    } finally {
      this.#pool.leave()
    }
  }

  /**
   * One attempt, and the retry after it if that is paid for already. Its own timeout ends it only if the retry that follows
   * is allowed and paid for: to end an attempt whose successor will never come would be a doubt for nothing.
   */
  async #try(): Promise<Decision | null> {
    const { clock, underWay, meter } = this.#deps
    const { retry, route } = this.#course
    const sentAt = clock.monotonicMs()
    const attempt = this.#course.send(this.#outcomes.length + 1)
    const place = underWay.enter(attempt)
    this.#current = attempt
    const number = this.#outcomes.length + 1
    const early: { paid: Decision | null } = { paid: null }
    const cancelTry = retry.perTryMs === null ? null : clock.after(retry.perTryMs, () => {
      if (!this.#course.repeatsLost()) return
      const next = this.#pay(0, false, number)
      if (next.kind !== 'retry') return
      early.paid = next
      attempt.abort('deadline')
    })
    const outcome = await attempt.outcome
    meter.took('upstream', clock.monotonicMs() - sentAt, route, null)
    this.#current = null
    cancelTry?.()
    underWay.leave(place)
    noteHealth(outcome, this.#deps)
    return this.#took(outcome, early.paid)
  }

  /** An attempt that we ended for the next one is lost, or was not sent; one that ended in that moment counts as it ended. */
  #took(outcome: AttemptOutcome, paid: Decision | null): Decision | null {
    if (paid === null) {
      this.#outcomes.push(outcome)
      return null
    }
    if (outcome.kind === 'aborted' && outcome.by === 'deadline') {
      this.#outcomes.push(outcome.sent ? { kind: 'lost', cause: 'deadline', reply: null } : { kind: 'not_sent', cause: 'connect-timeout' })
      return paid
    }
    this.#pool.leave()
    this.#outcomes.push(outcome)
    return null
  }

  /** Waits; or why it ended early. */
  #pause(delayMs: number): Promise<GaveUp | 'gone' | null> {
    const { clock, underWay } = this.#deps
    return new Promise((resolve) => {
      const end = (why: GaveUp | 'gone' | null): void => {
        cancel()
        takeBack()
        underWay.leave(place)
        resolve(why)
      }
      const cancel = clock.after(delayMs, () => end(null))
      const place = underWay.enter({ abort: () => end('shutdown') })
      const takeBack = this.#course.whenGone(() => end('gone'))
    })
  }
}

export function noteHealth(outcome: AttemptOutcome, { breaker, clock }: Pick<RetryDependencies, 'breaker' | 'clock'>): void {
  if (breaker === null) return
  const seen = health(outcome)
  if (seen !== 'nothing') breaker.note(seen === 'ill', clock.monotonicMs())
}
