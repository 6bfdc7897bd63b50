import { judgeShadow, noteOf, type ShadowEnd, type ShadowNote, type ShadowRequest, type ShadowState, type ShadowVerdict } from '../../core/shadow.ts'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

/**
 * The notes of shadowed routes, in the transaction that is open now. They are no part of what the store has promised, so
 * they have no place in its journal and its witness learns nothing of them.
 */
export class ShadowRows {
  readonly #sql: Pick<Statements, 'shadow-note' | 'write-shadow-note' | 'end-shadow-note' | 'release-shadow-note' | 'sweep-shadow-notes'>

  constructor(sql: Statements) {
    this.#sql = sql
  }

  look(requests: readonly ShadowRequest[], nowMs: number): ShadowVerdict[] {
    return requests.map((request) => {
      const verdict = judgeShadow(this.#note(request.id), request, nowMs)
      if (verdict.kind === 'new') {
        const { fingerprint, spec, parts, holder, state, leaseUntil, retainUntil } = noteOf(request, nowMs)
        this.#sql['write-shadow-note'].run(request.id, fingerprint, spec, parts, holder, state, leaseUntil, retainUntil)
      }
      return verdict
    })
  }

  end(ends: readonly ShadowEnd[]): void {
    for (const { id, holder, as } of ends) {
      if (as === 'released') this.#sql['release-shadow-note'].run(id, holder)
      else this.#sql['end-shadow-note'].run(id, holder, as)
    }
  }

  sweep(limit: number, nowMs: number): number {
    return Number(this.#sql['sweep-shadow-notes'].run(nowMs, limit).changes)
  }

  #note(id: string): ShadowNote | undefined {
    const row: unknown = this.#sql['shadow-note'].get(id)
    if (row === undefined) return undefined
    const [fingerprint, spec, parts, holder, state, leaseUntil, retainUntil]: unknown[] = Array.isArray(row) ? row : []
    if (typeof fingerprint !== 'string' || typeof spec !== 'string' || typeof parts !== 'string' || typeof holder !== 'string') throw new Damaged('a note of a shadowed route is damaged')
    if (!isState(state) || typeof leaseUntil !== 'number' || typeof retainUntil !== 'number') throw new Damaged('a note of a shadowed route is damaged')
    return { fingerprint, spec, parts, holder, state, leaseUntil, retainUntil }
  }
}

function isState(value: unknown): value is ShadowState {
  return value === 'in_flight' || value === 'completed' || value === 'uncertain'
}
