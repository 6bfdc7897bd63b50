import type { Claims, TokenRules } from '../core/token.ts'

/** How far an issuer's clock and ours may be apart: what RFC 7519 section 4.1.4 calls some small leeway. */
const LEEWAY_MS = 30_000

/**
 * What is wrong with the claims of a token whose signature is right; undefined if nothing is. In words for the client,
 * which repeat nothing of the token. A token without `exp` never ends, if its issuer makes such.
 */
export function faultOf(claims: Claims, { issuer, audience }: Pick<TokenRules, 'issuer' | 'audience'>, nowMs: number): string | undefined {
  const { exp, nbf, iss, aud, cnf } = claims
  if (exp !== undefined && !isDate(exp)) return 'its exp is no date'
  if (nbf !== undefined && !isDate(nbf)) return 'its nbf is no date'
  if (exp !== undefined && nowMs >= exp * 1000 + LEEWAY_MS) return 'it has expired'
  if (nbf !== undefined && nowMs < nbf * 1000 - LEEWAY_MS) return 'it is not valid yet'
  if (issuer !== null && iss !== issuer) return 'it is from another issuer'
  if (audience !== null && aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) return 'it is for another audience'
  // RFC 9449 section 7.2: without its proof, which only the upstream can judge, such a token is anybody's.
  if (typeof cnf === 'object' && cnf !== null && 'jkt' in cnf) return 'it is bound to a DPoP key, whose proof cannot be verified here'
  return undefined
}

function isDate(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
