import type { Clock } from '../../src/core/ports.ts'
import { judgeShadow, noteOf, type ShadowEnd, type ShadowNote, type ShadowRequest, type ShadowStore, type ShadowVerdict } from '../../src/core/shadow.ts'

/** Notes of shadowed routes in memory; passes the contract. */
export class MemoryShadowStore implements ShadowStore {
  readonly #notes = new Map<string, ShadowNote>()
  readonly #clock: Pick<Clock, 'wallMs'>

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock
  }

  get size(): number {
    return this.#notes.size
  }

  look(requests: readonly ShadowRequest[]): Promise<readonly ShadowVerdict[]> {
    const now = this.#clock.wallMs()
    return Promise.resolve(requests.map((request) => {
      const verdict = judgeShadow(this.#notes.get(request.id), request, now)
      if (verdict.kind === 'new') this.#notes.set(request.id, noteOf(request, now))
      return verdict
    }))
  }

  end(ends: readonly ShadowEnd[]): Promise<void> {
    for (const { id, holder, as } of ends) {
      const note = this.#notes.get(id)
      if (note?.holder !== holder) continue
      if (as === 'released') this.#notes.delete(id)
      else this.#notes.set(id, { ...note, state: as })
    }
    return Promise.resolve()
  }

  sweepShadow(limit: number): Promise<number> {
    const over = [...this.#notes].filter(([, { retainUntil }]) => retainUntil <= this.#clock.wallMs()).slice(0, limit)
    for (const [id] of over) this.#notes.delete(id)
    return Promise.resolve(over.length)
  }
}
