import type { Remembered, RemoteReplies } from '../../src/core/ports.ts'
import type { KeyId } from '../../src/core/record.ts'

/** What Redis does for the tiers, in this process: shared by as many of them as a test wants. */
export class MemoryReplies implements RemoteReplies {
  readonly kept = new Map<KeyId, Remembered | 'tombstone'>()
  readonly #forget: ((id: KeyId) => void)[] = []
  answers = true
  /** when it cannot be told, a bury changes nothing */
  listens = true
  /** look-ups so far */
  asked = 0

  get(id: KeyId): Promise<Remembered | undefined> {
    this.asked += 1
    const found = this.kept.get(id)
    return Promise.resolve(found === 'tombstone' ? undefined : found)
  }

  put(id: KeyId, what: Remembered): void {
    if (!this.kept.has(id)) this.kept.set(id, what)
  }

  bury(id: KeyId): Promise<'buried' | 'unknown'> {
    if (!this.listens) return Promise.resolve('unknown')
    this.kept.set(id, 'tombstone')
    for (const forget of this.#forget) forget(id)
    return Promise.resolve('buried')
  }

  onBuried(forget: (id: KeyId) => void): void {
    this.#forget.push(forget)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
