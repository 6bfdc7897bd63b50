import type { KeyId, Parts } from './record.ts'

/*
 * What a shadowed route notes of its keys: enough to say what enforcement would have done with the next request, and no
 * reply, no body and no doubt that anybody would have to resolve. Notes stand in a table of their own, so that nothing that
 * enforces ever reads one, and the same key is new to a route that begins to enforce.
 *
 *     (none) --look--> in_flight --completed--> completed --retention--> (none)
 *                        |  |------released--> (none)
 *                        |  '------uncertain--> uncertain --retention--> (none)
 *                        '--lease ended: counts as uncertain
 *
 * A note of another specification says nothing about this request, whose body nobody has any more: it is replaced, as by a
 * first request. So is one whose retention is over, whatever its state.
 */

/** `unknown`: nothing was looked up, because the store was in trouble or too much was waiting for it. */
export type ShadowOutcome = (typeof SHADOW_OUTCOMES)[number]

export interface ShadowRequest {
  readonly id: KeyId
  readonly fingerprint: string
  readonly spec: string
  /** with the witness, as in a record */
  readonly parts: Parts
  /** of this very request: it alone may say how it ended */
  readonly holder: string
  readonly leaseMs: number
  readonly retentionMs: number
}

/** `parts` are those of the request that was first. */
export type ShadowVerdict =
  | { readonly kind: 'new' }
  | { readonly kind: 'replay' }
  | { readonly kind: 'in_flight' }
  | { readonly kind: 'uncertain' }
  | { readonly kind: 'mismatch', readonly parts: Parts }

export type ShadowState = 'in_flight' | 'completed' | 'uncertain'

/** How a request that was new has ended. One that was released leaves no note. */
export interface ShadowEnd {
  readonly id: KeyId
  readonly holder: string
  readonly as: 'completed' | 'released' | 'uncertain'
}

/**
 * The notes. Every method throws `StoreUnavailable` and nothing else, and counts time by the store's own clock. In one call
 * no id comes twice.
 */
export interface ShadowStore {
  /** Notes what is new, and says of each request, in order, what it is. */
  look(requests: readonly ShadowRequest[]): Promise<readonly ShadowVerdict[]>
  /** An end of somebody who does not have the note, or not any more, changes nothing. */
  end(ends: readonly ShadowEnd[]): Promise<void>
  /** Deletes at most `limit` notes whose retention is over; returns how many. */
  sweepShadow(limit: number): Promise<number>
}

/** Counts what enforcement would have done; once for each request that has, or should have had, a key. */
export interface ShadowMeter {
  shadowed(outcome: ShadowOutcome, route: string): void
}

export const SHADOW_OUTCOMES = ['new', 'replay', 'in_flight', 'mismatch', 'uncertain', 'missing', 'invalid', 'unknown'] as const

/** What was counted so far, by the process that is asked; routes that were never shadowed are not among them. */
export interface ShadowCounts {
  counts(): readonly { readonly route: string, readonly outcomes: Readonly<Record<ShadowOutcome, number>> }[]
}

export interface ShadowNote {
  readonly fingerprint: string
  readonly spec: string
  readonly parts: Parts
  readonly holder: string
  readonly state: ShadowState
  readonly leaseUntil: number
  readonly retainUntil: number
}

/** What a request finds. `new`: `noteOf` it stands there from now on. */
export function judgeShadow(note: ShadowNote | undefined, { fingerprint, spec }: ShadowRequest, nowMs: number): ShadowVerdict {
  if (note === undefined || note.retainUntil <= nowMs || note.spec !== spec) return { kind: 'new' }
  if (note.fingerprint !== fingerprint) return { kind: 'mismatch', parts: note.parts }
  switch (note.state) {
    case 'completed': return { kind: 'replay' }
    case 'uncertain': return { kind: 'uncertain' }
    case 'in_flight': return { kind: note.leaseUntil > nowMs ? 'in_flight' : 'uncertain' }
    default: return note.state satisfies never
  }
}

export function noteOf({ fingerprint, spec, parts, holder, leaseMs, retentionMs }: ShadowRequest, nowMs: number): ShadowNote {
  return { fingerprint, spec, parts, holder, state: 'in_flight', leaseUntil: nowMs + leaseMs, retainUntil: nowMs + retentionMs }
}
