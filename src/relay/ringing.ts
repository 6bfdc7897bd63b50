import type { OutboxEvent } from '../core/event.ts'
import type { KeyStore } from '../core/ports.ts'
import type { WriteOutcome } from '../core/record.ts'
import type { Bell } from './bell.ts'

/** The store, ringing for the sinks of the events that it has committed. */
export function ringing(store: KeyStore, bell: Pick<Bell, 'ring'>): KeyStore {
  const rung = async (written: Promise<WriteOutcome>, events: readonly OutboxEvent[]): Promise<WriteOutcome> => {
    const outcome = await written
    if (outcome === 'written') for (const { sink } of events) bell.ring(sink)
    return outcome
  }
  return {
    ...store,
    complete(claim, completion) {
      const written = store.complete(claim, completion)
      return completion.events.length === 0 ? written : rung(written, completion.events)
    },
    resolve(id, fence, resolution, act) {
      const written = store.resolve(id, fence, resolution, act)
      return resolution.as === 'completed' && resolution.events.length > 0 ? rung(written, resolution.events) : written
    },
  }
}
