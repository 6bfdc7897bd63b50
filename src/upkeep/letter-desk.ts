import { Declined } from '../core/declined.ts'
import type { DeadLetter, DeadLetterFilter } from '../core/outbox.ts'
import type { OutboxStore } from '../core/outbox-ports.ts'
import type { Clock } from '../core/ports.ts'
import type { Act } from '../core/record.ts'

/** Steps a second in which a redrive puts events back. */
const STEPS_PER_SECOND = 10
/** Discarding is held to nothing but small transactions. */
const DISCARDS_AT_ONCE = 100

export const ANY: DeadLetterFilter = { id: null, sink: null, lane: null, type: null }

/** `limit`: how many at most; `Infinity` for all that fit. */
export interface Letters {
  readonly filter: DeadLetterFilter
  readonly limit: number
}

export interface RedriveDone {
  readonly redriven: number
  /** could never be built, and were left where they are */
  readonly unbuilt: readonly string[]
}

interface Pace {
  readonly events: number
  readonly everyMs: number
}

/** What operators do with dead letters; every change is audited. What cannot be done is thrown as Declined. */
export class LetterDesk {
  readonly #store: Pick<OutboxStore, 'deadLetters' | 'redrive' | 'discard'>
  readonly #clock: Clock

  constructor(store: Pick<OutboxStore, 'deadLetters' | 'redrive' | 'discard'>, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  async get(id: string): Promise<DeadLetter> {
    const [letter] = await this.#store.deadLetters({ ...ANY, id }, 1, null)
    if (letter === undefined) throw new Declined(`no dead letter has the id ${id}`)
    return letter
  }

  /** At most `rate` events a second; takes as long as that. */
  async redrive(letters: Letters, rate: number, act: Act): Promise<RedriveDone> {
    const events = Math.ceil(rate / STEPS_PER_SECOND)
    const { changed, left } = await this.#eachStep(letters, { events, everyMs: events * 1000 / rate }, async (letter) => !letter.unbuilt && (await this.#store.redrive({ ...ANY, id: letter.id }, 1, act)).redriven === 1)
    return { redriven: changed, unbuilt: left.flatMap(({ id, unbuilt }) => (unbuilt ? [id] : [])) }
  }

  /** How many were deleted. */
  async discard(letters: Letters, act: Act): Promise<number> {
    const { changed } = await this.#eachStep(letters, { events: DISCARDS_AT_ONCE, everyMs: 0 }, async ({ id }) => await this.#store.discard({ ...ANY, id }, 1, act) === 1)
    return changed
  }

  /**
   * Each letter that fits, once: from the oldest on by their rows, so that one that dies again meanwhile is not met a second time and
   * the end is reached, whatever the relay does.
   */
  async #eachStep({ filter, limit }: Letters, pace: Pace, change: (letter: DeadLetter) => Promise<boolean>): Promise<{ readonly changed: number, readonly left: readonly DeadLetter[] }> {
    const left: DeadLetter[] = []
    let [changed, seen]: [number, number] = [0, 0]
    let after: number | null = null
    while (seen < limit) {
      const startedMs = this.#clock.monotonicMs()
      const letters: readonly DeadLetter[] = await this.#store.deadLetters(filter, Math.min(pace.events, limit - seen), after)
      if (letters.length === 0) break
      const changes = await Promise.all(letters.map(change))
      changed += changes.filter(Boolean).length
      left.push(...letters.filter((_, place) => changes[place] === false))
      seen += letters.length
      after = letters.at(-1)?.row ?? null
      const restMs = startedMs + pace.everyMs - this.#clock.monotonicMs()
      if (restMs > 0 && letters.length === pace.events) await new Promise<void>((resolve) => { this.#clock.after(restMs, resolve) })
    }
    return { changed, left }
  }
}
