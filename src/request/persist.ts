import { StoreUnavailable, type Clock, type Journal, type Random } from '../core/ports.ts'
import type { Roster } from '../core/roster.ts'
import { traceIds, type Trace } from '../core/tracing.ts'

const FIRST_DELAY_MS = 50
const LONGEST_DELAY_MS = 2000

/**
 * Repeats a write until the store has answered it: an outage between attempt and settle is waited out while the
 * process lives, because the holder is the only one who knows what happened. Stores recognise the repetition by
 * holder and fence. Delays have full jitter. The promise settles only with an answer, or rejects with the store's last
 * word once the flow's life is over.
 */
export function persist<Outcome>(write: () => Promise<Outcome>, deps: PersistDependencies): Promise<Outcome> {
  return write().catch((error: unknown) => insist(error, write, deps)) // nearly always nothing to insist on, and no frame for it
}

export interface PersistDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  readonly life: Life
}

/** `over` once the process lets go of its store: what is not written then is found in the store by whoever comes next. */
export interface Life {
  over: boolean
}

/** Persists what nobody waits for, apart from a shutdown. */
export function persistAside(write: () => Promise<unknown>, deps: PersistDependencies & { readonly unsettled: Roster<Promise<unknown>> }): void {
  const place = deps.unsettled.enter(persist(write, deps)
    .catch((error: unknown) => {
      if (!deps.life.over) deps.journal.error('persist.failed', { error: error instanceof Error ? error.stack ?? error.message : 'unknown' })
    })
    .finally(() => deps.unsettled.leave(place)))
}

/** Goes on with a write that has failed once, with `first`; `trace` is that of the request whose write it is, for the log. */
export async function insist<Outcome>(first: unknown, write: () => Promise<Outcome>, deps: PersistDependencies, trace: Trace | null = null): Promise<Outcome> {
  let error = first
  for (let failures = 0; ; failures += 1) {
    if (!(error instanceof StoreUnavailable) || deps.life.over) throw error
    if (failures === 0) deps.journal.warn('store.write-failed', { ...traceIds(trace), written: error.written, error: error.message })
    const ceilingMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures)
    await new Promise<void>((resolve) => { deps.clock.after(deps.random.uniform() * ceilingMs, resolve) })
    try {
      return await write()
    } catch (again) {
      error = again
    }
  }
}
