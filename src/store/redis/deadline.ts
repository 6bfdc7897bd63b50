import type { Clock } from '../../core/ports.ts'

/** Nobody answered in time, or nobody will: the connection was given up. */
export class NotInTime extends Error {}

/**
 * Bounds what is waited for, and ends all of it at once when it is known that no answer comes. When a timer fires
 * after this process was busy for long, the answer may lie in the socket unread: so it is given one more turn before
 * it counts as late.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  within<Answer>(ms: number, work: Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const late = (): void => {
        end()
        reject(new NotInTime('Redis did not answer in time'))
      }
      let cancel = this.#clock.after(ms, () => { cancel = this.#clock.after(1, late) })
      const end = (): void => {
        cancel()
        this.#waiting.delete(late)
      }
      this.#waiting.add(late)
      work.finally(end).then(resolve, reject)
    })
  }

  /** Everything that is waited for is late now. */
  giveUp(): void {
    for (const late of [...this.#waiting]) late()
  }
}
