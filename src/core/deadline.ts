import { firstOf, type Fields } from './headers.ts'

/*
 * A deadline that travels with the request: clients say how long they wait, and the upstream is told how much of it is
 * left, so that nobody works on what nobody waits for.
 */

/** `grpc` is the form of grpc-timeout: at most eight digits and one of the units H M S m u n. */
export type DeadlineForm = 'ms' | 's' | 'grpc'

export interface DeadlineHeader {
  /** lower case */
  readonly header: string
  readonly form: DeadlineForm
}

const GRPC_UNITS_MS: ReadonlyMap<string, number> = new Map([['H', 3_600_000], ['M', 60_000], ['S', 1000], ['m', 1], ['u', 1e-3], ['n', 1e-6]])

/** What the client says, if that is shorter than what the route allows. What cannot be read, or is 0, says nothing: Envoy's clients mean "none" by 0. */
export function deadlineMs(fields: Fields, from: DeadlineHeader | null, longestMs: number): number {
  const value = from === null ? undefined : firstOf(fields, from.header)?.trim()
  if (from === null || value === undefined) return longestMs
  const asked = readMs(value, from.form)
  return asked > 0 ? Math.min(asked, longestMs) : longestMs
}

function readMs(value: string, form: DeadlineForm): number {
  const [, count, unit = ''] = /^(\d{1,8}(?:\.\d{1,3})?)([A-Za-z]?)$/.exec(value) ?? []
  if (count === undefined) return 0
  switch (form) {
    case 'ms': return unit === '' ? Number(count) : 0
    case 's': return unit === '' ? Number(count) * 1000 : 0
    case 'grpc': return Math.ceil(Number(count) * (GRPC_UNITS_MS.get(unit) ?? 0))
    default: return form satisfies never
  }
}

/** What is left, rounded up, and never 0, which to many means "for ever". */
export function deadlineText(ms: number, form: DeadlineForm): string {
  const whole = Math.max(1, Math.ceil(ms))
  switch (form) {
    case 'ms': return String(whole)
    case 's': return String(Math.ceil(whole / 1000))
    case 'grpc': return whole < 100_000_000 ? `${whole}m` : `${Math.ceil(whole / 1000)}S`
    default: return form satisfies never
  }
}
