import { createHash, timingSafeEqual } from 'node:crypto'
import { parseLoopback } from '../config/addresses.ts'
import { AdminProblem } from './problems.ts'

export interface OperatorsOptions {
  /** by whom they name; none: whoever reaches the listener is an operator */
  readonly tokens: readonly { readonly name: string, readonly token: string }[]
  /** the listener's address is one of this machine alone */
  readonly loopback: boolean
}

/** Who changes something without a token: the machine's own users are not told apart. */
export const ANYBODY = 'loopback'

/** Fields of the request, by names in lower case. */
type Fields = Readonly<Record<string, string | string[] | undefined>>

/** Who may use the listener for operators. Throws AdminProblem for who may not. */
export class Operators {
  readonly #digests: readonly { readonly name: string, readonly digest: Uint8Array }[]
  readonly #loopback: boolean

  constructor({ tokens, loopback }: OperatorsOptions) {
    this.#digests = tokens.map(({ name, token }) => ({ name, digest: digestOf(token) }))
    this.#loopback = loopback
  }

  /** A page from elsewhere may have its own name resolved to this address (DNS rebinding) and then read what we answer. */
  checkHost({ host }: Fields): void {
    if (this.#loopback && typeof host === 'string' && !isLoopbackHost(host)) throw new AdminProblem('misdirected', 'another name leads here')
  }

  /** A browser says which page a request is of (Fetch Metadata, RFC 6454); what is no browser says nothing, or lies anyway. */
  checkOrigin({ origin, host, 'sec-fetch-site': site }: Fields): void {
    if (typeof site === 'string' && site !== 'same-origin' && site !== 'none') throw new AdminProblem('foreign-page', 'its browser says so')
    if (origin === undefined || (typeof origin === 'string' && /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '').toLowerCase() === String(host).toLowerCase())) return
    throw new AdminProblem('foreign-page', 'its Origin is not this address')
  }

  /** The operator's name. */
  authenticate({ authorization }: Fields): string {
    if (this.#digests.length === 0) return ANYBODY
    const [, token] = /^Bearer +(\S+) *$/i.exec(String(authorization ?? '')) ?? []
    if (token === undefined) throw new AdminProblem('token-missing', 'Authorization: Bearer TOKEN, with a token of admin.tokens')
    const presented = digestOf(token)
    // all of them, so that the time says nothing of how many were looked at
    const found = this.#digests.filter(({ digest }) => timingSafeEqual(digest, presented))
    const [operator] = found
    if (operator === undefined) throw new AdminProblem('token-invalid', 'no token of admin.tokens is this one')
    return operator.name
  }
}

/** Of equal length, whatever was presented. */
function digestOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

/** True for a Host that names a loopback address, with a port or without. */
function isLoopbackHost(host: string): boolean {
  return parseLoopback(host) !== undefined || parseLoopback(`${host}:0`) !== undefined
}
