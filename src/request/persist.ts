import { StoreUnavailable, type Clock, type Journal, type Random } from '../core/ports.ts'

const FIRST_DELAY_MS = 50
const LONGEST_DELAY_MS = 2000

/**
 * Repeats a write until the store has answered it: an outage between attempt and settle is waited out while the
 * process lives, because the holder is the only one who knows what happened. Stores recognise the repetition by
 * holder and fence. Delays have full jitter. The promise settles only with an answer.
 */
export function persist<Outcome>(write: () => Promise<Outcome>, deps: PersistDependencies): Promise<Outcome> {
  return write().catch((error: unknown) => insist(error, write, deps)) // nearly always nothing to insist on, and no frame for it
}

export interface PersistDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
}

/** Goes on with a write that has failed once, with `first`. */
export async function insist<Outcome>(first: unknown, write: () => Promise<Outcome>, deps: PersistDependencies): Promise<Outcome> {
  let error = first
  for (let failures = 0; ; failures += 1) {
    if (!(error instanceof StoreUnavailable)) throw error
    if (failures === 0) deps.journal.warn('store.write-failed', { written: error.written, error: error.message })
    const ceilingMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures)
    await new Promise<void>((resolve) => { deps.clock.after(deps.random.uniform() * ceilingMs, resolve) })
    try {
      return await write()
    } catch (again) {
      error = again
    }
  }
}
