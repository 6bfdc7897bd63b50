import { isIPv6 } from 'node:net'
import { connectionNames, firstOf, lowerCase, NOT_FORWARDED, type Fields } from './headers.ts'

/*
 * What a gateway says about the hop before it (RFC 9110 section 7.6, RFC 7239). Everything of ours is added after
 * the connection's own fields were taken off, so that no `Connection` field of a client can remove it.
 *
 *     from a peer in trust.proxies    X-Forwarded-For and Forwarded continue; -Host and -Proto stay, or are added
 *     from any other peer             all of these are its own words: they are removed, and ours stand alone
 */

/** One hop of a request: who handed it to us, and how we sign for it. */
export interface Hop {
  /** the address that the connection came from, in its shortest form; see `peerAddress` */
  readonly peer: string
  /** the peer is one of `trust.proxies`: its forwarding fields are believed */
  readonly trusted: boolean
  /** the connection was encrypted */
  readonly secure: boolean
  /** as received; our own messages are always 1.1 */
  readonly httpVersion: '1.0' | '1.1'
  /** our name in Via, one per process, so that a loop is told from a chain of Oncewards */
  readonly pseudonym: string
  /** what Host is rewritten to; null preserves the client's */
  readonly host: string | null
  /** `Forwarded` is written even where the request had none */
  readonly forwarded: boolean
}

/** The fields that an upstream gets: the client's end-to-end fields in their order and spelling, then ours. */
export function forwardedFields(fields: Fields, hop: Hop): string[] {
  const nominated = connectionNames(fields)
  const kept: string[] = []
  let saidForwarded = hop.forwarded
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? ''
    const value = fields[i + 1] ?? ''
    const lower = lowerCase(name)
    if (NOT_FORWARDED.has(lower) || nominated.has(lower)) continue
    if (lower === 'host' && hop.host !== null) continue
    if (lower === 'forwarded') saidForwarded = true
    if (!hop.trusted && speaksOfTheClient(lower)) continue
    kept.push(name, value)
  }
  const asked = firstOf(fields, 'host')
  if (hop.host !== null) kept.push('Host', hop.host)
  addMember(kept, 'X-Forwarded-For', hop.peer)
  if (asked !== undefined && firstOf(kept, 'x-forwarded-host') === undefined) kept.push('X-Forwarded-Host', asked)
  if (firstOf(kept, 'x-forwarded-proto') === undefined) kept.push('X-Forwarded-Proto', hop.secure ? 'https' : 'http')
  if (saidForwarded) addMember(kept, 'Forwarded', forwardedElement(hop, asked))
  addMember(kept, 'Via', `${hop.httpVersion} ${hop.pseudonym}`)
  return kept
}

/**
 * Fields by which proxies say who the client is. Underscores count as hyphens, because to a CGI-like application both
 * are `HTTP_X_FORWARDED_FOR`.
 */
function speaksOfTheClient(lower: string): boolean {
  if (lower === 'forwarded') return true
  if (!lower.startsWith('x')) return false
  const name = lower.replaceAll('_', '-')
  return name.startsWith('x-forwarded-') || name === 'x-real-ip'
}

/** Adds a member to a list field: at the end of its last line, or on a line of its own. */
function addMember(fields: string[], name: string, member: string): void {
  const lower = lowerCase(name)
  for (let i = fields.length - 2; i >= 0; i -= 2) {
    if (fields[i]?.length !== name.length || lowerCase(fields[i] ?? '') !== lower) continue
    const before = fields[i + 1] ?? ''
    fields[i + 1] = before === '' ? member : `${before}, ${member}`
    return
  }
  fields.push(name, member)
}

/** RFC 7239 section 4: an IPv6 address in brackets and quotes, a host with a port in quotes; `by` would tell our address. */
function forwardedElement(hop: Hop, host: string | undefined): string {
  const from = isIPv6(hop.peer) ? `"[${hop.peer}]"` : hop.peer
  const asked = host === undefined ? '' : `;host=${TOKEN.test(host) ? host : `"${host.replace(/["\\]/g, '\\$&')}"`}`
  return `for=${from}${asked};proto=${hop.secure ? 'https' : 'http'}`
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** True if this request has been here before: our own pseudonym stands in its Via (RFC 9110 section 7.6.3). */
export function hasPassed(fields: Fields, pseudonym: string): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.length !== 3 || lowerCase(fields[i] ?? '') !== 'via') continue
    if (fields[i + 1]?.split(',').some((member) => member.trim().split(/[ \t]+/)[1] === pseudonym) === true) return true
  }
  return false
}

/**
 * Fields that we rely on or add. A `Connection` field that names one of them asks us, or a proxy of ours, to lose it
 * on the way (CVE-2026-33805); no honest sender does, since they concern all recipients (RFC 9110 section 7.6.1).
 */
const RELIED_ON: ReadonlySet<string> = new Set([
  'host', 'via', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-real-ip',
  'idempotency-key', 'idempotency-ttl', 'content-length', 'content-type', 'content-encoding', 'expect', 'max-forwards',
])

/** The first field that this message's `Connection` must not name and does, or undefined. */
export function misnominated(fields: Fields): string | undefined {
  for (const name of connectionNames(fields)) if (RELIED_ON.has(name)) return name
  return undefined
}
