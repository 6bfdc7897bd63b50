import type { Clock } from '../core/ports.ts'
import type { Doubt, KeyId, KeyRecord, Rest } from '../core/record.ts'

/**
 * Which doubts are given out just now, in a store that one process has to itself. What it forgets when the process ends
 * is asked about once more, which costs a look-up.
 */
export class LentDoubts {
  readonly #clock: Clock
  readonly #until = new Map<KeyId, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many records at most are passed over. */
  get size(): number {
    this.#forget()
    return this.#until.size
  }

  lend(records: readonly KeyRecord[], limit: number, rest: Rest): Doubt[] {
    this.#forget()
    const [nowMs, wallMs] = [this.#clock.monotonicMs(), this.#clock.wallMs()]
    const free = records.filter(({ id }) => !this.#until.has(id)).flatMap((record) => doubtOf(record, wallMs)).slice(0, limit)
    for (const { id, ageMs } of free) this.#until.set(id, nowMs + restMs(ageMs, rest))
    return free
  }

  #forget(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [id, until] of this.#until) if (until <= nowMs) this.#until.delete(id)
  }
}

function restMs(ageMs: number, { shortestMs, longestMs }: Rest): number {
  return Math.min(longestMs, Math.max(shortestMs, ageMs / 4))
}

function doubtOf(record: KeyRecord, nowMs: number): Doubt[] {
  if (record.state !== 'uncertain' || record.probe === null) return []
  const { id, fence, route, operationRef, cause, probe, outbox } = record
  return [{ id, fence, route, operationRef, cause, probe, outbox, ageMs: nowMs - record.since }]
}
