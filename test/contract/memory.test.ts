import t from 'tap'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { keyStoreContract } from './key-store.ts'
import { HeldClock } from './situation.ts'

keyStoreContract(t, {
  open() {
    const clock = new HeldClock()
    const store = new MemoryKeyStore(clock)
    return Promise.resolve({ store, clock, committedEvents: () => Promise.resolve(store.events), close: () => store.close() })
  },
})
