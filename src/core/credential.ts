import { sha256 } from './digest.ts'
import { connectionNames, valuesOf, type Fields } from './headers.ts'
import { known, type Known, type Unknown } from './identity.ts'
import { subjectOf } from './token.ts'

/** One scope per set of credentials. */
export interface CredentialPolicy {
  readonly kind: 'credential'
  /** lower-case names of fields, and `cookie:NAME` for one cookie by its exact name */
  readonly headers: readonly string[]
  readonly anonymous: 'refuse' | 'share'
}

/** In front of the name of a cookie; no field has such a name. */
export const COOKIE = 'cookie:'

/** Behind the name of a field whose token was read instead of hashed; no field has such a name either. */
const SUBJECT = ' subject'

const BEARER = /^bearer +([^ ]+) *$/i

/**
 * The credentials of a request as an identity. A credential is meant to live long: with another value the same key is
 * another key. Two kinds do not, and are not hashed like the others:
 *
 * A scheme that signs each request anew would make every retry a stranger, so that nothing is ever recognised and
 * everything runs twice. It is refused with a hint what to configure instead.
 *
 * A bearer token that is a JWT is refreshed between two tries. It stands for the issuer and the subject that it names.
 * Nobody has verified them here (the upstream does, when it is asked), so whoever asks again must show the very same
 * credential before a stored reply is given back; its digest is the `witness`.
 */
export function credential(fields: Fields, { headers, anonymous }: CredentialPolicy): Known | Unknown {
  const nominated = connectionNames(fields)
  let shown = ''
  let others = ''
  let said: string | null = null
  for (const name of headers) {
    const cookie = name.startsWith(COOKIE) ? name.slice(COOKIE.length) : null
    const field = cookie === null ? name : 'cookie'
    if (nominated.has(field)) return { kind: 'malformed', detail: `the Connection field must not name ${field}` }
    const values = cookie === null ? valuesOf(fields, name).filter(isShown) : cookiesOf(fields, cookie)
    let entries = ''
    for (const value of values) entries += entry(name, value)
    shown += entries
    if (name !== 'authorization') others += entries
    else {
      const scheme = perRequestScheme(fields, values)
      if (scheme !== undefined) return { kind: 'missing', detail: `${scheme} ${HINT}` }
      said = subjectSaid(values)
    }
  }
  if (said !== null) return known(`token:${sha256(said + others)}`, sha256(shown))
  if (shown !== '') return known(`credential:${sha256(shown)}`)
  if (isSigned(fields)) return { kind: 'missing', detail: `a message signature (RFC 9421) ${HINT}` }
  if (anonymous === 'share') return known('anonymous')
  return { kind: 'missing', detail: `a request with an Idempotency-Key needs one of ${headers.join(', ')} here, so that nobody else can be given its reply` }
}

const HINT = 'is different with every request, so a retry could not be recognised by it; let the configuration name what stays: '
  + 'scope: {header: NAME} for a field that a gateway sets, or other credential_headers'

/** An empty field, or the name of a scheme with nothing behind, is no credential: all who send it would be one. */
function isShown(value: string): boolean {
  return !/^\s*(?:bearer|basic)?\s*$/i.test(value)
}

/** Lengths in front, so that two lists of names and values never make one text. */
function entry(name: string, value: string): string {
  return `${name.length}:${name}${value.length}:${value}`
}

/** The issuer and subject that the one bearer token names. JSON, because a claim may hold half a surrogate pair, and all of those are one in UTF-8. */
function subjectSaid(values: readonly string[]): string | null {
  const token = values.length === 1 ? BEARER.exec(values[0] ?? '')?.[1] : undefined
  const said = token === undefined ? undefined : subjectOf(token)
  return said === undefined ? null : entry(`authorization${SUBJECT}`, JSON.stringify([said.issuer, said.subject]))
}

/** All cookies of this name (RFC 6265 section 5.4); a browser may send two. Which one counts is the upstream's choice, so all of them count here. */
function cookiesOf(fields: Fields, name: string): string[] {
  const found: string[] = []
  for (const line of valuesOf(fields, 'cookie')) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=')
      const value = pair.slice(equals + 1).trim()
      if (equals !== -1 && value !== '' && pair.slice(0, equals).trim() === name) found.push(value)
    }
  }
  return found
}

/**
 * Schemes of the IANA registry and of the large clouds whose credentials hold a signature, a nonce or a one-time proof.
 * Whatever has HMAC in its name signs the request: AWS4-HMAC-SHA256, GOOG4-HMAC-SHA256, EG1-HMAC-SHA256, ...
 */
const PER_REQUEST = /^(?:aws|aws4-[a-z0-9-]+|digest|dpop|hawk|negotiate|ntlm|kerberos|signature|hoba|mutual|concealed|privatetoken|scram-[a-z0-9-]+|sharedkey(?:lite)?|[a-z0-9-]*hmac[a-z0-9-]*)$/i

/** The scheme, as it may be shown to the client who sent it; undefined for one that stays the same. */
function perRequestScheme(fields: Fields, values: readonly string[]): string | undefined {
  for (const value of values) {
    const scheme = /^([^ ]{1,40}) /.exec(value)?.[1] ?? ''
    if (PER_REQUEST.test(scheme)) return `Authorization: ${scheme}`
    // OAuth 2 drafts had a scheme of this name, too, with a token that stays; only OAuth 1.0 signs (RFC 5849 section 3.5.1).
    if (/^oauth$/i.test(scheme) && /oauth_(?:signature|nonce)\b/i.test(value)) return 'Authorization: OAuth 1.0'
  }
  return values.length > 0 && valuesOf(fields, 'dpop').length > 0 ? 'a DPoP proof (RFC 9449)' : undefined
}

function isSigned(fields: Fields): boolean {
  return valuesOf(fields, 'signature').length > 0 && valuesOf(fields, 'signature-input').length > 0
}
