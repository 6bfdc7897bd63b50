import { WITHOUT_HEADER, type Filing } from '../core/key-space.ts'
import type { KeyHeader } from '../core/key-source.ts'
import { isRecord } from './document.ts'

/** The fields of `idempotency` that decide under which id a request is filed, with the defaults filled in. */
export interface FilingFields {
  readonly scope: unknown
  readonly credential_headers: readonly string[]
  readonly key_from?: unknown
}

/**
 * How a route files its requests, from the fields that say so. Whatever else may change without freeing a key is left
 * out: who is refused (`anonymous`, `audience`, signatures), and, where an issuer is named, from where its keys are fetched.
 */
export function filingOf({ scope, credential_headers: credentials, key_from: source }: FilingFields, route: string, header: KeyHeader): Filing {
  const written = scope === 'credential' ? { credential: credentials } : scope === 'route' ? { route } : scope
  const place = source === undefined || source === 'none' ? null : ordered(source)
  return { scope: ordered(withoutVerification(written)), source: header === 'first' || place === null ? place : `${WITHOUT_HEADER}${place}` }
}

function withoutVerification(scope: unknown): unknown {
  if (!isRecord(scope) || !isRecord(scope['jwt'])) return scope
  const { audience: _, jwks, ...proven } = scope['jwt']
  return { jwt: proven['issuer'] === undefined ? { ...proven, jwks } : proven }
}

/** JSON with the names of fields in order. Names of headers are the only texts in it that have no case; those of cookies have. */
function ordered(value: unknown): string {
  return JSON.stringify(value, (name, inner: unknown) => {
    if (['credential', 'header', 'headers'].includes(name)) return Array.isArray(inner) ? [...new Set(inner.map((one) => spelled(String(one))))] : spelled(String(inner))
    return isRecord(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner
  })
}

function spelled(name: string): string {
  return /^cookie:/i.test(name) ? name.replace(/^cookie:/i, 'cookie:') : name.toLowerCase()
}
