import t from 'tap'
import { MemoryShadowStore } from '../support/memory-shadow-store.ts'
import { shadowContract } from './shadow.ts'
import { HeldClock } from './situation.ts'

shadowContract(t, () => {
  const clock = new HeldClock()
  return Promise.resolve({ shadow: new MemoryShadowStore(clock), clock, close: () => Promise.resolve() })
})
