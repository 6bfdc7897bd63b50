import { credential, type CredentialPolicy } from './credential.ts'
import { sha256 } from './digest.ts'
import { connectionNames, valuesOf, type Fields } from './headers.ts'
import { known, type Known, type Unknown } from './identity.ts'
import { valueAt, type Claims, type TokenRules } from './token.ts'

/** Whose keys are told apart. `none` and `route`: one scope for all, only when spelled out or where a signature proves the one sender. */
export type ScopePolicy =
  | CredentialPolicy
  /** the value of one field that a gateway in front sets */
  | { readonly kind: 'header', readonly header: string }
  /** a claim of the bearer token, once its signature was verified */
  | TokenScope
  | { readonly kind: 'none' }
  /** nobody is told apart on this route, and all of them from whoever asks on another */
  | { readonly kind: 'route', readonly route: string }

export interface TokenScope extends TokenRules {
  readonly kind: 'jwt'
  /** the names that lead to the claim */
  readonly claim: readonly string[]
}

export type Identity = Known | Unknown | { readonly kind: 'token', readonly token: string, readonly scope: TokenScope }

/**
 * A stored reply is given only to the same identity (invariant I6), so a request without one is refused unless the
 * configuration says otherwise. Identities of two kinds never meet: each is the name of its kind, and behind it a
 * digest of a text that can be read in one way only.
 */
export function identify(fields: Fields, policy: ScopePolicy): Identity {
  switch (policy.kind) {
    case 'none': return known('none')
    case 'route': return known(`route:${policy.route}`)
    case 'credential': return credential(fields, policy)
    case 'header': return byHeader(fields, policy.header)
    case 'jwt': return byToken(fields, policy)
    default: return policy satisfies never
  }
}

function byHeader(fields: Fields, header: string): Known | Unknown {
  const [first = '', ...more] = valuesOf(fields, header)
  if (connectionNames(fields).has(header)) return { kind: 'malformed', detail: `the Connection field must not name ${header}` }
  if (more.length > 0) return { kind: 'malformed', detail: `${header} must be sent once` }
  const value = first.trim()
  if (value === '') return { kind: 'missing', detail: `a request with an Idempotency-Key needs ${header} here, so that nobody else can be given its reply` }
  return known(`header:${sha256(JSON.stringify([header, value]))}`, null, value)
}

function byToken(fields: Fields, scope: TokenScope): Identity {
  const [first = '', ...more] = valuesOf(fields, 'authorization')
  if (connectionNames(fields).has('authorization')) return { kind: 'malformed', detail: 'the Connection field must not name authorization' }
  if (more.length > 0) return { kind: 'malformed', detail: 'authorization must be sent once' }
  const token = /^bearer +([^ ]+) *$/i.exec(first)?.[1]
  if (token === undefined) return { kind: 'missing', detail: 'a request with an Idempotency-Key needs a bearer token here (Authorization: Bearer ...), so that nobody else can be given its reply' }
  return { kind: 'token', token, scope }
}

/**
 * The identity that a verified token proves; undefined if the claim is not there or is no name. The token's issuer is
 * part of it: two issuers may both have a user 7. Where the configuration names no issuer the keys vouch for whatever
 * their owner wrote there, so then the place of the keys is part of it, too.
 */
export function byClaim(claims: Claims, { claim, issuer, keys }: TokenScope): Known | undefined {
  const value = valueAt(claims, claim)
  if (!isName(value)) return undefined
  const authority = issuer === null ? [keys.kind, keys.place, claims['iss'] ?? null] : [issuer]
  return known(`jwt:${sha256(JSON.stringify([authority, claim, value]))}`, null, String(value))
}

/** 7 and "7" stay different names; 7.5, true and {} are none. */
function isName(value: unknown): value is string | number {
  return typeof value === 'string' ? value !== '' : Number.isSafeInteger(value)
}
