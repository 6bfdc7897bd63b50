import t from 'tap'
import { MemoryKeyStore } from '../support/memory-key-store.ts'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'
import { acceptedWorkContract } from './accepted-work.ts'
import { keyStoreContract } from './key-store.ts'
import { HeldClock, type KeyStoreHarness } from './situation.ts'

const harness: KeyStoreHarness = {
  open() {
    const clock = new HeldClock()
    const woken: string[] = []
    const outbox = new MemoryOutboxStore(clock)
    const store = new MemoryKeyStore(clock, { publish: (ids) => woken.push(...ids) }, outbox)
    return Promise.resolve({ store, outbox, clock, committedEvents: () => Promise.resolve(store.events), woken, close: () => store.close() })
  },
}

keyStoreContract(t, harness)
acceptedWorkContract(t, harness)
