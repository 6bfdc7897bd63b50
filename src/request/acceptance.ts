import type { Fields } from '../core/headers.ts'
import type { Policy } from '../core/policy.ts'
import { preferencesOf } from '../core/prefer.ts'

/** How a request that is accepted wants its answer. */
export interface Acceptance {
  /** it asked for it in as many words, so the answer says that it was heard */
  readonly asked: boolean
  /** how long it waits for the reply itself; null if it does not say */
  readonly waitMs: number | null
}

/** Null for a request that is served at once: where the route does not accept, a preference to be accepted is ignored (RFC 7240 section 2). */
export function acceptanceOf({ accepts }: Pick<Policy, 'accepts'>, fields: Fields): Acceptance | null {
  if (accepts === 'off') return null
  const { respondAsync, waitMs } = preferencesOf(fields)
  return respondAsync || accepts === 'always' ? { asked: respondAsync, waitMs } : null
}
