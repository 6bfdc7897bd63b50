import { sha256 } from './digest.ts'
import { connectionNames, valuesOf, type Fields } from './headers.ts'

/** Whose keys are told apart. `credential`: one scope per set of credential values; `none`: one scope for all, only when spelled out. */
export type ScopePolicy =
  | { readonly kind: 'credential', readonly headers: readonly string[], readonly anonymous: 'refuse' | 'share' }
  | { readonly kind: 'none' }

export type Identity =
  | { readonly kind: 'known', readonly identity: string }
  | { readonly kind: 'missing', readonly detail: string }
  | { readonly kind: 'invalid', readonly detail: string }

/** Two namespaces of identities that cannot meet a digest: base64url never has a '*'. */
const EVERYBODY = '*'
const ANONYMOUS = '*anonymous'

/**
 * Who asks, as a string that is safe to hash and never leaves the process. A stored reply is given only to the same
 * identity (invariant I6), so a request without one is refused unless the configuration says otherwise.
 */
export function identify(fields: Fields, policy: ScopePolicy): Identity {
  switch (policy.kind) {
    case 'none': return { kind: 'known', identity: EVERYBODY }
    case 'credential': return byCredential(fields, policy.headers, policy.anonymous)
    default: return policy satisfies never
  }
}

function byCredential(fields: Fields, headers: readonly string[], anonymous: 'refuse' | 'share'): Identity {
  const nominated = connectionNames(fields)
  let credentials = ''
  for (const name of headers) {
    if (nominated.has(name)) return { kind: 'invalid', detail: `the Connection field must not name ${name}` }
    for (const value of valuesOf(fields, name)) {
      credentials += `${name.length}:${name}${value.length}:${value}`
    }
  }
  if (credentials !== '') return { kind: 'known', identity: sha256(credentials) }
  if (anonymous === 'share') return { kind: 'known', identity: ANONYMOUS }
  return { kind: 'missing', detail: `a request with an Idempotency-Key needs one of ${headers.join(', ')} here, so that nobody else can be given its reply` }
}
