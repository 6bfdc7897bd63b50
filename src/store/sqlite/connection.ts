import type { Worker } from 'node:worker_threads'
import { StoreUnavailable, type Clock } from '../../core/ports.ts'
import type { Sent } from '../group-commit.ts'
import { Bodies, CLOSE, fromJson, toJson, unpack, type Answer, type Answers, type Batch, type Call, type Greeting } from './wire.ts'

/** Written when its batch is made, so that the bodies of a batch find each other. */
export type WrittenCall = (bodies: Bodies) => Call

/** An answer and the bodies of its whole batch, in which its places are found. */
export interface Answered {
  readonly answer: Answer
  readonly bodies: readonly Uint8Array[]
}

/** The main thread's end of the worker: one batch out at a time. */
export class Connection {
  /** Rejects when the worker refuses the database, with the reason. */
  readonly opened: Promise<void>
  readonly #worker: Worker
  readonly #clock: Clock
  #answer: ((answers: Answers | StoreUnavailable) => void) | undefined
  #ended: StoreUnavailable | undefined
  readonly #exited: Promise<void>

  constructor(worker: Worker, clock: Clock) {
    this.#worker = worker
    this.#clock = clock
    this.opened = this.#greeted()
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#end(new StoreUnavailable('no', 'the thread of the embedded store has ended'))
        resolve()
      })
    })
    worker.on('error', (error) => this.#end(new StoreUnavailable('no', 'the thread of the embedded store has crashed', error)))
  }

  async send(batch: readonly WrittenCall[]): Promise<readonly Sent<Answered>[]> {
    if (this.#ended !== undefined) throw this.#ended
    const outgoing = new Bodies()
    const calls = batch.map((write) => write(outgoing))
    const packed = outgoing.packed()
    const message: Batch = [this.#clock.wallMs(), toJson(calls), outgoing.lengths, packed]
    const answers = await new Promise<Answers | StoreUnavailable>((resolve) => {
      this.#answer = resolve
      this.#worker.postMessage(message, [packed.buffer])
    })
    if (answers instanceof StoreUnavailable) throw answers
    const bodies = unpack(answers[1], answers[2])
    return fromJson(answers[0]).map((answer) => sentOf(answer, bodies))
  }

  /** Resolves when the database is closed and the thread has ended, however it did. */
  close(): Promise<void> {
    if (this.#ended === undefined) this.#worker.postMessage(CLOSE)
    return this.#exited
  }

  /** The first message is the greeting; answers come after. */
  #greeted(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', (greeting: Greeting) => {
        if (greeting[0] === 'refused') {
          reject(new StoreUnavailable('no', greeting[1]))
          return
        }
        this.#worker.on('message', (answers: Answers) => this.#hand(answers))
        resolve()
      })
      this.#worker.once('exit', () => reject(this.#ended ?? new StoreUnavailable('no', 'the embedded store did not start')))
    })
  }

  #hand(answers: Answers | StoreUnavailable): void {
    const answer = this.#answer
    this.#answer = undefined
    answer?.(answers)
  }

  /** What is out may have been committed before the end; what comes later never leaves. The first reason stays. */
  #end(reason: StoreUnavailable): void {
    this.#ended ??= reason
    this.#hand(new StoreUnavailable('unknown', reason.message, reason.cause))
  }
}

function sentOf(answer: Answer, bodies: readonly Uint8Array[]): Sent<Answered> {
  if (answer[0] === 'failed') return { kind: 'failed', error: new StoreUnavailable(answer[1], answer[2]) }
  return { kind: 'done', outcome: { answer, bodies } }
}

export function surprised(answer: Answer): never {
  throw new StoreUnavailable('unknown', `the worker answered ${answer[0]} out of turn`)
}
