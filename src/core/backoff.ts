/*
 * How long to wait before a retry. Full jitter spreads the retries of many clients evenly over the whole span, so that
 * an upstream that comes back meets a drizzle and not a wave (M. Brooker, "Exponential Backoff And Jitter", 2015). The
 * other three are here to be compared with it.
 */

/** `none` sends all who failed together back together. */
export type Jitter = 'full' | 'equal' | 'decorrelated' | 'none'

export interface Backoff {
  /** ceiling of the first delay; it doubles with every further one */
  readonly baseMs: number
  /** ceiling of all of them */
  readonly capMs: number
  readonly jitter: Jitter
}

/**
 * Milliseconds before a retry, apart from a Retry-After, which comes on top. `retry` is 0 for the first one, `previousMs`
 * what this function said before that (0 for the first), `uniform` is in [0, 1).
 */
export function backoffMs({ baseMs, capMs, jitter }: Backoff, retry: number, previousMs: number, uniform: number): number {
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(retry, 30))
  switch (jitter) {
    case 'full': return uniform * ceilingMs
    case 'equal': return ceilingMs / 2 + uniform * ceilingMs / 2
    case 'decorrelated': return Math.min(capMs, baseMs + uniform * (Math.max(baseMs, previousMs) * 3 - baseMs))
    case 'none': return ceilingMs
    default: return jitter satisfies never
  }
}
