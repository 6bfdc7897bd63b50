import { StoreUnavailable, type Clock } from '../core/ports.ts'

/*
 * Many callers, few commits. Calls that arrive while a batch is out become the next batch; a batch leaves as soon as
 * a connection is free, never on a timer, so that an idle store answers at once and a busy one shares its fsyncs. Where
 * the last batch was shared by many, what already lies in the sockets is read before the next one leaves (`gatherFrom`).
 *
 *     submit --> waiting --(a connection is free)--> out --> each caller its own outcome
 *                   '--(given up by then)--> dropped: never sent, written 'no'
 */

/** What became of one operation of a batch; one operation's failure says nothing about its neighbours. */
export type Sent<Outcome> =
  | { readonly kind: 'done', readonly outcome: Outcome }
  | { readonly kind: 'failed', readonly error: StoreUnavailable }

export interface GroupCommitOptions<Operation, Outcome> {
  /** one answer per operation, in order; a rejection fails the whole batch */
  readonly send: (batch: readonly Operation[]) => Promise<readonly Sent<Outcome>[]>
  /** batches that may be out at once: one per connection */
  readonly connections: number
  readonly maxOperations: number
  /** a batch closes at the first operation that brings it to this many bytes, so that it is never empty */
  readonly maxBytes: number
  /** operations of one key never leave in one batch: the second one waits for the next */
  readonly keyOf?: (operation: Operation) => string
  /** told what each batch took, whatever came of it */
  readonly timer?: { readonly clock: Pick<Clock, 'monotonicMs'>, readonly took: (ms: number) => void }
  /** behind a batch of this many operations the next one gathers for a few turns of the event loop; none does without it */
  readonly gatherFrom?: number
}

/** Calls in a batch with 64 clients: 25 without any, 37 with two, 43 with three, 44 with four. */
const GATHERING_TURNS = 3

interface Waiting<Operation, Outcome> {
  readonly operation: Operation
  readonly bytes: number
  readonly givenUp: (() => boolean) | undefined
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: StoreUnavailable) => void
}

export class GroupCommit<Operation, Outcome> {
  readonly #options: GroupCommitOptions<Operation, Outcome>
  #waiting: Waiting<Operation, Outcome>[] = []
  /** everything before this index of `#waiting` has left: shifting one by one would cost a copy each */
  #taken = 0
  #out = 0
  /** operations of the batch that left last */
  #last = 0
  #woken = false
  #closed = false
  #idle: (() => void)[] = []

  constructor(options: GroupCommitOptions<Operation, Outcome>) {
    this.#options = options
  }

  /** `bytes` is the operation's weight in its batch; `givenUp` is asked once, when its batch is made. */
  submit(operation: Operation, bytes: number, givenUp?: () => boolean): Promise<Outcome> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('no', 'the store is closed'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, bytes, givenUp, resolve, reject })
      this.#wake()
    })
  }

  /** Refuses what comes from now on; resolves when everything accepted before is settled. May be called twice. */
  close(): Promise<void> {
    this.#closed = true
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => { this.#idle.push(resolve) })
  }

  /**
   * Two turns of the microtask queue: callers that the last batch awoke and that ask again at once (claimed, then
   * completed) join the batch that leaves now, and do not each wait for one more commit.
   *
   * Some of the event loop where many share a batch: those that the last one awoke have by then been answered or sent on, and
   * what came in meanwhile has been read. Nobody waits for them on a store that is not busy.
   */
  #wake(): void {
    if (this.#woken) return
    this.#woken = true
    const leave = (): void => {
      this.#woken = false
      this.#leave()
    }
    if (this.#last < (this.#options.gatherFrom ?? Infinity)) queueMicrotask(() => queueMicrotask(leave))
    else afterTurns(GATHERING_TURNS, leave)
  }

  #leave(): void {
    while (this.#out < this.#options.connections) {
      const batch = this.#nextBatch()
      if (batch.length === 0) break
      this.#out += 1
      this.#last = batch.length
      void this.#carry(batch)
    }
    if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve()
  }

  #nextBatch(): Waiting<Operation, Outcome>[] {
    const batch: Waiting<Operation, Outcome>[] = []
    const { keyOf } = this.#options
    const keys = keyOf === undefined ? undefined : new Set<string>()
    const held: Waiting<Operation, Outcome>[] = []
    let bytes = 0
    while (batch.length < this.#options.maxOperations && bytes < this.#options.maxBytes) {
      const next = this.#waiting[this.#taken]
      if (next === undefined) break
      this.#taken += 1
      if (next.givenUp?.() === true) {
        next.reject(new StoreUnavailable('no', 'given up before it left for the store'))
        continue
      }
      if (keyOf !== undefined && keys !== undefined) {
        const key = keyOf(next.operation)
        if (keys.has(key)) {
          held.push(next)
          continue
        }
        keys.add(key)
      }
      bytes += next.bytes
      batch.push(next)
    }
    this.#forgetTaken(held)
    return batch
  }

  /** Those that were held stay in front, in their order. */
  #forgetTaken(held: Waiting<Operation, Outcome>[]): void {
    const rest = this.#taken === this.#waiting.length ? [] : this.#waiting.slice(this.#taken)
    this.#waiting = held.length === 0 ? rest : [...held, ...rest]
    this.#taken = 0
  }

  /** Never rejects: every end of a batch is some outcome of its callers. */
  async #carry(batch: readonly Waiting<Operation, Outcome>[]): Promise<void> {
    const { send, timer } = this.#options
    const sentAt = timer === undefined ? 0 : timer.clock.monotonicMs()
    let answers: readonly Sent<Outcome>[]
    try {
      answers = await send(batch.map((waiting) => waiting.operation))
    } catch (error) {
      const failed: Sent<Outcome> = { kind: 'failed', error: asUnavailable(error) }
      answers = batch.map(() => failed)
    }
    timer?.took(timer.clock.monotonicMs() - sentAt)
    batch.forEach((waiting, index) => settle(waiting, answers[index]))
    this.#out -= 1
    this.#wake()
  }

  #isIdle(): boolean {
    return this.#out === 0 && this.#waiting.length === 0
  }
}

function afterTurns(turns: number, task: () => void): void {
  if (turns === 0) task()
  else setImmediate(afterTurns, turns - 1, task)
}

function settle<Operation, Outcome>(waiting: Waiting<Operation, Outcome>, answer: Sent<Outcome> | undefined): void {
  if (answer === undefined) waiting.reject(new StoreUnavailable('unknown', 'the store did not answer this operation of its batch'))
  else if (answer.kind === 'done') waiting.resolve(answer.outcome)
  else waiting.reject(answer.error)
}

function asUnavailable(error: unknown): StoreUnavailable {
  return error instanceof StoreUnavailable ? error : new StoreUnavailable('unknown', 'the batch failed', error)
}
