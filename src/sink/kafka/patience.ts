import type { Clock } from '../../core/ports.ts'

/** The time that one call has, and the signal that may end it before. */
export class Patience {
  readonly #clock: Clock
  readonly #untilMs: number
  readonly #ended = Promise.withResolvers<never>()
  readonly #signals: readonly AbortSignal[]
  readonly #end = (): void => this.#ended.reject(new GivenUp())
  readonly #cancel: () => void

  constructor(clock: Clock, withinMs: number, signals: readonly AbortSignal[]) {
    this.#clock = clock
    this.#untilMs = clock.monotonicMs() + withinMs
    this.#signals = signals
    this.#ended.promise.catch(() => undefined) // nobody may be waiting
    this.#cancel = clock.after(withinMs, this.#end)
    for (const signal of signals) signal.addEventListener('abort', this.#end, { once: true })
  }

  get over(): boolean {
    return this.#signals.some(({ aborted }) => aborted) || this.#clock.monotonicMs() >= this.#untilMs
  }

  /** Rejects with `GivenUp` when the time is over. What is waited for goes on; its end is nobody's any more. */
  async for<T>(promise: Promise<T>): Promise<T> {
    if (this.over) {
      promise.catch(() => undefined)
      throw new GivenUp()
    }
    return Promise.race([promise, this.#ended.promise])
  }

  async pause(ms: number): Promise<void> {
    let cancel: () => void = () => undefined
    try {
      await this.for(new Promise<void>((resolve) => { cancel = this.#clock.after(ms, resolve) }))
    } finally {
      cancel()
    }
  }

  /** Lets go of the timer and the signals. */
  done(): void {
    this.#cancel()
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#end)
  }
}

export class GivenUp extends Error {
  constructor() {
    super('given up')
    this.name = 'GivenUp'
  }
}
