/**
 * Who asks. `identity` is safe to hash and never leaves the process. Where there is a `witness`, nobody has verified
 * the identity: a stored reply is given back only to who shows the very same credential, of which this is the digest.
 */
export interface Known {
  readonly kind: 'known'
  readonly identity: string
  readonly witness: string | null
  /** how the upstream calls who asks, where a gateway or a signature vouches for it; for probes (core/template.ts) */
  readonly name: string | null
}

export type Unknown =
  | { readonly kind: 'missing', readonly detail: string }
  /** the fields contradict themselves, so that we and the upstream might read them differently */
  | { readonly kind: 'malformed', readonly detail: string }

export function known(identity: string, witness: string | null = null, name: string | null = null): Known {
  return { kind: 'known', identity, witness, name }
}
