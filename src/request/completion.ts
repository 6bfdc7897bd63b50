import type { Policy } from '../core/policy.ts'
import type { Clock } from '../core/ports.ts'
import type { KeyId, KeyRecord } from '../core/record.ts'
import type { Sight, Watch } from './watch.ts'

/** Clients of one process that wait for a completion at one time; a further one is answered at once, and asks again. */
const MOST_AT_ONCE = 1000

/** Nothing more will become of it by itself: a doubt that its policy leaves to somebody is no reason to wait. */
export function isOver({ state }: KeyRecord, { whenUnsure }: Pick<Policy, 'whenUnsure'>): boolean {
  return state === 'completed' || (state === 'uncertain' && whenUnsure.kind === 'hold')
}

export interface CompletionDependencies {
  readonly watch: Pick<Watch, 'on'>
  readonly clock: Clock
}

/** Clients that wait for what was accepted to be completed, each with a bound of its own. They hold nothing but their connection. */
export class Completions {
  readonly #deps: CompletionDependencies
  readonly #waiting = new Set<() => void>()
  #stopped = false

  constructor(deps: CompletionDependencies) {
    this.#deps = deps
  }

  /** False if one more would be answered at once. */
  get takesMore(): boolean {
    return !this.#stopped && this.#waiting.size < MOST_AT_ONCE
  }

  /**
   * The record once it is `enough`; null after `waitMs`, when the operation is gone, when there are too many who wait, or when
   * this process stops. `gone` tells that nobody waits any more. Rejects for a defect, not for an outage.
   */
  wait(id: KeyId, operationRef: string, waitMs: number, enough: (record: KeyRecord) => boolean, gone: () => boolean): Promise<KeyRecord | null> {
    if (waitMs <= 0 || !this.takesMore) return Promise.resolve(null)
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel()
        leave()
        this.#waiting.delete(giveUp)
      }
      const giveUp = (): void => {
        end()
        resolve(null)
      }
      const cancel = this.#deps.clock.after(waitMs, giveUp)
      const leave = this.#deps.watch.on(id, operationRef, {
        see: (sight: Sight) => {
          if (gone()) return giveUp()
          if (sight === 'unavailable') return
          if (sight === 'gone' || sight.operationRef !== operationRef) return giveUp()
          if (!enough(sight)) return
          end()
          resolve(sight)
        },
        fail: (error) => {
          end()
          reject(error instanceof Error ? error : new Error('a look at a record failed', { cause: error }))
        },
      })
      this.#waiting.add(giveUp)
    })
  }

  /** Nobody waits any longer, and nobody begins to: a drain waits for their answers. */
  stop(): void {
    this.#stopped = true
    for (const giveUp of [...this.#waiting]) giveUp()
  }
}
