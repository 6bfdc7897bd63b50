import { sha256 } from './digest.ts'
import type { Parts } from './record.ts'

/*
 * Who showed which credential, where nobody verified who asks (see `Known` in identity.ts). Stores keep it with the
 * parts of the request: it belongs to the record from its claim on, is never compared by them in a replay, and is
 * nothing that they need to look for.
 */

/** In front of the digest, behind the parts; no digest has a tilde. */
const MARK = '.~'

/** 132 bits under the installation's secret: a stored one says nothing of the credential, and another credential never has it. */
export function witness(secret: string, credentialDigest: string): string {
  return sha256(`${secret}\nwitness\n${credentialDigest}`).slice(0, 22)
}

export function withWitness(parts: Parts, shown: string | null): Parts {
  return shown === null ? parts : `${parts}${MARK}${shown}`
}

/** The witness of the credential that made this record; null if it needs none. */
export function witnessOf(parts: Parts): string | null {
  const at = parts.lastIndexOf(MARK)
  return at === -1 ? null : parts.slice(at + MARK.length)
}
