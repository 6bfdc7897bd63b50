import { fingerprint, type Fingerprint } from '../core/fingerprint.ts'
import { parseSpec } from '../core/fingerprint-spec.ts'
import type { Entry, Namespace } from './admit.ts'

/**
 * A request's fingerprint under the specification that another one was made with, so that the two can be compared: the
 * policy may have been edited in between, and an edit must not turn every old key into a mismatch. Undefined if this
 * version does not know that specification. Needs the body, so a request is compared before it waits.
 */
export function fingerprintUnder(spec: string, entry: Entry, { secret }: Namespace): Fingerprint | undefined {
  if (spec === entry.fingerprint.spec) return entry.fingerprint
  const known = parseSpec(spec)
  if (known === undefined) return undefined
  const { body, call: { method, target, fields } } = entry
  return fingerprint(secret, known, { method, target, fields, body })
}
