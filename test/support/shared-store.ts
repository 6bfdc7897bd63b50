import type { KeyStore } from '../../src/core/ports.ts'

/** A store with some methods replaced; a function of the real one gives them. */
export function replaced(authority: KeyStore, methods: Partial<KeyStore>): KeyStore {
  return new Proxy(authority, {
    get(target, name: keyof KeyStore) {
      return methods[name] ?? target[name].bind(target)
    },
  })
}

/** One seam for several sidecars of a test: all of them use the first one's store, as replicas would. */
export function sharedStore(): (own: KeyStore) => KeyStore {
  let shared: KeyStore | undefined
  return (own) => {
    if (shared === undefined) return shared = own
    return replaced(shared, { close: () => own.close() })
  }
}
