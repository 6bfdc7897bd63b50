import t from 'tap'
import { MemoryOutboxStore } from '../support/memory-outbox-store.ts'
import { outboxStoreContract } from './outbox-store.ts'
import { HeldClock } from './situation.ts'

outboxStoreContract(t, {
  open() {
    const clock = new HeldClock()
    const outbox = new MemoryOutboxStore(clock)
    return Promise.resolve({
      outbox,
      clock,
      commit(...events) {
        outbox.put(...events)
        return Promise.resolve()
      },
      close: () => Promise.resolve(),
    })
  },
})
