import type { JSONWebKeySet, LocalJWKSet } from 'jose'
import type { Clock, Journal, TokenVerdict, TokenVerifier } from '../core/ports.ts'
import { asClaims, type Claims, type KeyPlace, type TokenRules } from '../core/token.ts'
import { faultOf } from './claims.ts'
import { KeySet } from './key-set.ts'
import { keyAgent, KeysUnreadable, publishedKeys } from './published-keys.ts'

/**
 * Signatures that need a private key. With HS256 in this list whoever knows the published key could sign with it, and
 * `none` needs no key at all (RFC 8725 sections 2.1 and 3.1).
 */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

/** How many keys are tried on a token that names none: issuers have two or three at a time, and each try costs a verification. */
const MOST_TRIES = 16

type Checked =
  | { readonly kind: 'signed', readonly claims: Claims }
  | { readonly kind: 'refused', readonly detail: string }
  /** none of these keys is the one that the token names */
  | { readonly kind: 'unknown-key' }
  /** the keys themselves are of no use */
  | { readonly kind: 'defective' }

type Jose = typeof import('jose')

/** Bearer JWTs (RFC 7519) by the published keys of their issuers (RFC 7517). jose is loaded for the first token: most installations verify none. */
export class JwtVerifier implements TokenVerifier {
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #sets = new Map<string, KeySet<LocalJWKSet>>()
  readonly #agent = keyAgent()
  #jose: Promise<Jose> | null = null
  #closing: Promise<void> | null = null

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock
    this.#journal = journal
  }

  async verify(token: string, rules: TokenRules): Promise<TokenVerdict> {
    const jose = await (this.#jose ??= import('jose'))
    const set = this.#setOf(rules.keys, jose)
    const keys = await set.current()
    if (keys === null) return unavailable(set)
    let checked = await check(token, keys, jose)
    if (checked.kind === 'unknown-key') {
      const renewed = await set.beyond(keys)
      if (renewed.kind === 'unavailable') return unavailable(set)
      if (renewed.kind === 'newer') checked = await check(token, renewed.keys, jose)
    }
    switch (checked.kind) {
      case 'signed': {
        const fault = faultOf(checked.claims, rules, this.#clock.wallMs())
        return fault === undefined ? { kind: 'verified', claims: checked.claims } : { kind: 'invalid', detail: `the token was refused: ${fault}` }
      }
      case 'refused': return { kind: 'invalid', detail: `the token was refused: ${checked.detail}` }
      case 'unknown-key': return { kind: 'invalid', detail: 'the token was refused: none of the published keys has signed it' }
      case 'defective':
        this.#journal.warn('identity.key-unusable', { keys: rules.keys.place })
        return unavailable(set)
      default: return checked satisfies never
    }
  }

  close(): Promise<void> {
    return this.#closing ??= this.#agent.destroy()
  }

  #setOf(keys: KeyPlace, jose: Jose): KeySet<LocalJWKSet> {
    const at = `${keys.kind} ${keys.place}`
    let set = this.#sets.get(at)
    if (set === undefined) {
      const read = async (): Promise<LocalJWKSet> => jose.createLocalJWKSet(asKeySet(await publishedKeys(keys, this.#agent, this.#clock)))
      set = new KeySet(read, this.#clock, (error) => {
        this.#journal.warn('identity.keys-unavailable', { keys: keys.place, cause: error instanceof KeysUnreadable ? error.message : 'unknown' })
      })
      this.#sets.set(at, set)
    }
    return set
  }
}

/** What jose is given: each key has a type, and what else it needs is judged when a token names it. */
function asKeySet(keys: object[]): JSONWebKeySet
function asKeySet(keys: object[]): object {
  return { keys }
}

async function check(token: string, keys: LocalJWKSet, jose: Jose): Promise<Checked> {
  try {
    return signed(await jose.compactVerify(token, keys, { algorithms: ALGORITHMS }))
  } catch (error) {
    if (error instanceof jose.errors.JWKSMultipleMatchingKeys) return await tryEach(token, error, jose)
    return refusal(error, jose)
  }
}

/** A token that does not name its key, while the issuer has several: one of them has signed it, or none. */
async function tryEach(token: string, candidates: AsyncIterable<Parameters<Jose['compactVerify']>[1]>, jose: Jose): Promise<Checked> {
  let tries = 0
  for await (const key of candidates) {
    if (tries++ === MOST_TRIES) break
    try {
      return signed(await jose.compactVerify(token, key, { algorithms: ALGORITHMS }))
    } catch (error) {
      if (!(error instanceof jose.errors.JWSSignatureVerificationFailed)) return refusal(error, jose)
    }
  }
  return { kind: 'unknown-key' }
}

function signed({ payload, protectedHeader }: { readonly payload: Uint8Array, readonly protectedHeader: { readonly b64?: boolean } }): Checked {
  // An unencoded payload (RFC 7797) is no JWT, whoever has signed it.
  const claims = protectedHeader.b64 === false ? undefined : claimsIn(payload)
  return claims === undefined ? { kind: 'refused', detail: 'its claims are no JSON object' } : { kind: 'signed', claims }
}

function claimsIn(payload: Uint8Array): Claims | undefined {
  try {
    return asClaims(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)))
  } catch {
    return undefined
  }
}

/** jose throws its own errors for what is wrong with a token, and others (a short RSA key, a point off its curve) for what is wrong with a key. */
function refusal(error: unknown, jose: Jose): Checked {
  if (error instanceof jose.errors.JWKSNoMatchingKey) return { kind: 'unknown-key' }
  if (error instanceof jose.errors.JWKInvalid || error instanceof jose.errors.JWKSInvalid) return { kind: 'defective' }
  if (error instanceof jose.errors.JWSSignatureVerificationFailed) return { kind: 'refused', detail: 'its signature is wrong' }
  if (error instanceof jose.errors.JOSEAlgNotAllowed) return { kind: 'refused', detail: 'its algorithm is not one that needs a private key' }
  if (error instanceof jose.errors.JOSEError) return { kind: 'refused', detail: 'it is no JWT that was signed' }
  return { kind: 'defective' }
}

function unavailable(set: KeySet<LocalJWKSet>): TokenVerdict {
  return { kind: 'unavailable', retryAfterMs: Math.max(1000, set.pauseMs) }
}
