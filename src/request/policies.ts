import { freedBy, keySpaceText, readKeySpace, type KeySpace } from '../core/key-space.ts'
import type { KeyStore } from '../core/ports.ts'
import type { Route } from '../core/route.ts'

/** What a start or a reload wants to be in force. */
export interface Rules {
  readonly routes: readonly Route[]
  readonly keySpace: KeySpace
  /** the configuration accepts, in as many words, that old keys become new */
  readonly mayFreeOldKeys: boolean
}

/** `freed`: one sentence for each way in which old keys are, or would have been, lost. */
export type Adoption =
  | { readonly kind: 'adopted', readonly freed: readonly string[] }
  | { readonly kind: 'refused', readonly freed: readonly string[] }

/**
 * The routes that are in force, each with its whole policy. They are replaced all together by one assignment and never
 * changed in place: a request that took its route from one list goes on under that policy to its end.
 */
export class Policies {
  readonly #store: Pick<KeyStore, 'keySpace'>
  #routes: readonly Route[] = []

  constructor(store: Pick<KeyStore, 'keySpace'>) {
    this.#store = store
  }

  get routes(): readonly Route[] {
    return this.#routes
  }

  /**
   * Puts `rules` in force unless they would free keys that the store has. It is written down first, so that the next
   * start compares with what was in use, whatever happens in between. Throws StoreUnavailable; then nothing has changed here.
   */
  async adopt(rules: Rules): Promise<Adoption> {
    const next = keySpaceText(rules.keySpace)
    let freed: readonly string[] = []
    for (let standing = await this.#store.keySpace(null, next); standing !== next; standing = await this.#store.keySpace(standing, next)) {
      freed = freedSince(standing, rules.keySpace)
      if (freed.length > 0 && !rules.mayFreeOldKeys) return { kind: 'refused', freed }
    }
    this.#routes = rules.routes
    return { kind: 'adopted', freed }
  }
}

function freedSince(standing: string, next: KeySpace): readonly string[] {
  const past = readKeySpace(standing)
  return past === null ? ['another version of onceward used this store, and this one cannot tell how it filed its keys'] : freedBy(past, next)
}
