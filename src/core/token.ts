/*
 * What can be said of a JSON Web Token without verifying it (RFC 7519). Nothing here is proof of anything.
 */

/** Where the keys are published that sign an issuer's tokens. */
export interface KeyPlace {
  readonly kind: 'url' | 'file'
  readonly place: string
}

/** What a token is held against; null where the configuration says nothing. */
export interface TokenRules {
  readonly keys: KeyPlace
  readonly issuer: string | null
  readonly audience: string | null
}

export type Claims = Readonly<Record<string, unknown>>

/** Three parts of base64url (RFC 7515 section 7.1); the last one is empty if nobody signed. */
const COMPACT = /^([\w-]+)\.([\w-]+)\.[\w-]*$/

/** Who a token says that it is from and about; undefined if it is no JWT or does not say both. */
export function subjectOf(token: string): { readonly issuer: string, readonly subject: string } | undefined {
  const [, header = '', payload = ''] = COMPACT.exec(token) ?? []
  if (header === '' || typeof decoded(header)?.['alg'] !== 'string') return undefined
  const { iss, sub } = decoded(payload) ?? {}
  if (typeof iss !== 'string' || typeof sub !== 'string' || iss === '' || sub === '') return undefined
  return { issuer: iss, subject: sub }
}

function decoded(part: string): Claims | undefined {
  try {
    return asClaims(JSON.parse(Buffer.from(part, 'base64url').toString()))
  } catch {
    return undefined
  }
}

/** A claims set is a JSON object and nothing else (RFC 7519 section 7.2). */
export function asClaims(value: unknown): Claims | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}

/** The value at the end of `path`; undefined where it leads nowhere. Lists have no names. */
export function valueAt(claims: Claims, path: readonly string[]): unknown {
  let value: unknown = claims
  for (const name of path) {
    const group = asClaims(value)
    if (group === undefined || !Object.hasOwn(group, name)) return undefined
    value = group[name]
  }
  return value
}
