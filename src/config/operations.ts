import type { OperationsSettings } from '../core/operations.ts'
import { OPERATIONS } from './operations-schema.ts'
import { defaultsOf, type Document } from './schema.ts'
import { parseDuration, parseSize } from './units.ts'

/** How accepted requests are executed, of `operations` as it was written. */
export function operationsOf({ operations }: Document): OperationsSettings {
  const { concurrency, attempts, base, cap, lease, quota, request_body: body, longest_wait: wait } = { ...defaultsOf(OPERATIONS), ...operations }
  return {
    concurrency, attempts, baseMs: proven(parseDuration(base)), capMs: proven(parseDuration(cap)), leaseMs: proven(parseDuration(lease)),
    quota, requestBodyBytes: proven(parseSize(body)), longestWaitMs: proven(parseDuration(wait)),
  }
}

/** The schema has accepted the text with the same parser; if not, it is a bug and not a mistake of the file. */
function proven<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the schema accepted a value that its parser refuses')
  return value
}
