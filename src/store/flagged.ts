import type { Wakeups } from '../core/ports.ts'
import type { KeyId, KeyRecord } from '../core/record.ts'

/**
 * The records that somebody waits for, where one process does all of a store's writes: the flag needs no row. Another
 * process could not see it, so a store of many keeps it in the record.
 */
export class Flagged {
  readonly #ids = new Set<KeyId>()
  readonly #wakeups: Pick<Wakeups, 'publish'>

  constructor(wakeups: Pick<Wakeups, 'publish'>) {
    this.#wakeups = wakeups
  }

  /** The flag stands before `find` looks: a settle in between is told to whoever waits, or seen here. */
  async flag(id: KeyId, find: () => Promise<readonly KeyRecord[]>): Promise<'flagged' | 'settled'> {
    this.#ids.add(id)
    const [found] = await find()
    if (found?.state === 'in_flight') return 'flagged'
    this.#ids.delete(id)
    return 'settled'
  }

  /** A write that ends `in_flight` was committed. */
  left(id: KeyId): void {
    if (this.#ids.size > 0 && this.#ids.delete(id)) this.#wakeups.publish([id])
  }
}

/** For whoever opens a store without waiters. */
export const NOBODY_WAITS: Pick<Wakeups, 'publish'> = { publish: () => undefined }
