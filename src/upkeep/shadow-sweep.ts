import { StoreUnavailable, type Clock, type Journal } from '../core/ports.ts'
import type { ShadowStore } from '../core/shadow.ts'
import { Rounds } from './rounds.ts'

/** A note past its retention counts as gone, so this may lag behind. */
const EVERY_MS = 60_000
const BATCH = 500

/** Deletes what shadowed routes have noted and nobody needs any more; also where no route is shadowed any longer. */
export function shadowSweep(store: Pick<ShadowStore, 'sweepShadow'>, clock: Clock, journal: Pick<Journal, 'warn'>): Rounds {
  const rounds = new Rounds(clock, () => EVERY_MS, async () => {
    try {
      for (let some = BATCH; some === BATCH && !rounds.stopped;) some = await store.sweepShadow(BATCH)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      journal.warn('upkeep.interrupted', { error: error.message })
    }
  })
  return rounds
}
