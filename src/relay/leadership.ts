import type { OutboxStore } from '../core/outbox-ports.ts'
import type { Clock, Random } from '../core/ports.ts'
import type { Bell } from './bell.ts'
import type { Nudge } from './nudge.ts'
import { Term } from './term.ts'

/** Followers look when the lease they saw has ended, and not all of them at once. */
const FOLLOW_JITTER_MS = 250

export interface Candidacy {
  /** what is led: a sink, or a source by its lease's name */
  readonly of: string
  readonly holder: string
  readonly leaseMs: number
  readonly store: Pick<OutboxStore, 'lead'>
  readonly bell: Pick<Bell, 'hearVacant'>
  readonly clock: Clock
  readonly random: Pick<Random, 'uniform'>
  /** cuts the wait short */
  readonly nudge: Nudge
  /** somebody else leads; false: nobody waits for their end */
  readonly follows: () => boolean
}

/** A term; or null, after a while in which somebody else leads. */
export async function leadOrFollow({ of, holder, leaseMs, store, bell, clock, random, nudge, follows }: Candidacy): Promise<Term | null> {
  const issuedAtMs = clock.monotonicMs()
  const leadership = await store.lead(of, holder, leaseMs)
  switch (leadership.kind) {
    case 'leading': return new Term(leadership.lead, issuedAtMs, { store, clock, random, leaseMs })
    case 'following': {
      const deaf = bell.hearVacant(of, () => nudge.nudge())
      if (follows()) await nudge.wait(leadership.againMs + random.uniform() * FOLLOW_JITTER_MS)
      deaf()
      return null
    }
    default: return leadership satisfies never
  }
}
