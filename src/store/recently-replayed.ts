import type { KeyId } from '../core/record.ts'

/** Two generations of this many ids: a retry that is repeated comes within seconds. */
const GENERATION = 2048

/**
 * Ids whose reply was read from Redis a little while ago. Most retries succeed and are never repeated, and a reply that is kept in
 * memory for a minute costs the garbage collector more than one that is read again; so only the second one is kept.
 */
export class RecentlyReplayed {
  #young = new Set<KeyId>()
  #old: ReadonlySet<KeyId> = new Set()

  /** Whether it was noted before, and notes it. */
  again(id: KeyId): boolean {
    if (this.#young.has(id)) return true
    const known = this.#old.has(id)
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(id)
    return known
  }
}
