/*
 * The traceparent field of W3C Trace Context, level 1:
 *
 *     version "-" trace-id "-" parent-id "-" trace-flags        2, 32, 16 and 2 lower-case hexadecimal digits
 */

export interface Traceparent {
  readonly traceId: string
  readonly parentId: string
  /** the caller may have recorded it */
  readonly sampled: boolean
}

/** A later version may go on behind the flags; version 00 may not, and ff is none. */
const FORM = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Null for anything that is no traceparent, which is as good as none (section 3.2.2). */
export function readTraceparent(value: string): Traceparent | null {
  const [, version, traceId, parentId, flags, rest] = FORM.exec(value) ?? []
  if (traceId === undefined || parentId === undefined || flags === undefined || (version === '00' && rest !== undefined)) return null
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function formatTraceparent(traceId: string, parentId: string, sampled: boolean): string {
  return `00-${traceId}-${parentId}-${sampled ? '01' : '00'}`
}
