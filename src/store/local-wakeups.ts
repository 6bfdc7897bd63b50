import type { Wakeups } from '../core/ports.ts'
import type { KeyId } from '../core/record.ts'

/** Wake-ups inside one process: all that a store which belongs to one process can need. */
export class LocalWakeups implements Wakeups {
  readonly #waiting = new Map<KeyId, Set<() => void>>()

  wait(id: KeyId, wake: () => void): () => void {
    const waiting = this.#waiting.get(id) ?? new Set()
    // one entry per call, so that the same function may wait twice
    const entry = (): void => wake()
    this.#waiting.set(id, waiting.add(entry))
    return () => {
      if (waiting.delete(entry) && waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id)
    }
  }

  publish(ids: readonly KeyId[]): void {
    // a copy: who is woken may leave, or wait anew
    for (const id of ids) for (const wake of [...this.#waiting.get(id) ?? []]) wake()
  }

  close(): Promise<void> {
    this.#waiting.clear()
    return Promise.resolve()
  }
}
