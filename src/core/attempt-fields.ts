import { deadlineText, type DeadlineHeader } from './deadline.ts'
import { firstOf, without } from './headers.ts'
import { formatTraceparent } from './traceparent.ts'
import type { Onward } from './tracing.ts'

/** Tells a repeated request from a first one, which has no such field. Ours alone to set. */
export const ATTEMPT_HEADER = 'Onceward-Attempt'

/**
 * Marks a retry: its number, and a parent id of its own in traceparent (W3C Trace Context section 3.2.2.4), so that
 * traces show two requests and not one that took twice. The first attempt travels as the client sent it. `parentId` is
 * made where it is needed: 16 hexadecimal digits.
 */
export function markRetry(fields: string[], number: number, parentId: () => string): void {
  fields.push(ATTEMPT_HEADER, String(number))
  const traceparent = firstOf(fields, 'traceparent')
  const [, before, after] = /^([0-9a-f]{2}-[0-9a-f]{32}-)[0-9a-f]{16}(-[0-9a-f]{2}.*)$/.exec(traceparent ?? '') ?? []
  if (before !== undefined && after !== undefined) replace(fields, 'traceparent', `${before}${parentId()}${after}`)
}

const TRACE_FIELDS: ReadonlySet<string> = new Set(['traceparent', 'tracestate'])

/** Puts our own place in the trace where the client's was: what the upstream does is done for the span with this id. */
export function carryTrace(fields: string[], traceId: string, { sampled, tracestate }: Onward, spanId: string): void {
  const others = without(fields, TRACE_FIELDS)
  fields.splice(0, fields.length, ...others, 'traceparent', formatTraceparent(traceId, spanId, sampled))
  if (tracestate !== '') fields.push('tracestate', tracestate)
}

/** Tells the upstream how long anybody waits for its answer. */
export function tellDeadline(fields: string[], { header, form }: DeadlineHeader, leftMs: number): void {
  const text = deadlineText(leftMs, form)
  if (firstOf(fields, header) === undefined) fields.push(header, text)
  else replace(fields, header, text)
}

/** The first line of this name gets the value. */
function replace(fields: string[], name: string, value: string): void {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() !== name) continue
    fields[i + 1] = value
    return
  }
}
