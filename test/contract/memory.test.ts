import t from 'tap'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { keyStoreContract } from './key-store.ts'
import { HeldClock } from './situation.ts'

keyStoreContract(t, {
  open() {
    const clock = new HeldClock()
    const woken: string[] = []
    const store = new MemoryKeyStore(clock, { publish: (ids) => woken.push(...ids) })
    return Promise.resolve({ store, clock, committedEvents: () => Promise.resolve(store.events), woken, close: () => store.close() })
  },
})
