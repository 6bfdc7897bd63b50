/**
 * Header fields as they crossed the wire: a flat list `[name, value, name, value, ...]`, names in the sender's
 * spelling, order and repetitions kept, values as latin1 strings. It is the shape of node's `rawHeaders`, so that
 * nothing is joined, folded or lost between the client and the upstream (RFC 9110 section 5.3).
 */
export type Fields = readonly string[]

/** All values of one field, in order; `name` in lower case. */
export function valuesOf(fields: Fields, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const candidate = fields[i] ?? ''
    if (candidate.length === name.length && lowerCase(candidate) === name) values.push(fields[i + 1] ?? '')
  }
  return values
}

/** The first value of a field, or undefined; `name` in lower case. */
export function firstOf(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    const candidate = fields[i] ?? ''
    if (candidate.length === name.length && lowerCase(candidate) === name) return fields[i + 1]
  }
  return undefined
}

/** The names of fields recur; others can be made up, so there is room for so many, of at most this length. */
const MOST_NAMES = 512
const LONGEST_NAME = 64
const lowerNames = new Map<string, string>()

/** `name` in lower case. From memory it takes an eighth of the time, and a new key asks some 25 times. */
export function lowerCase(name: string): string {
  let lower = lowerNames.get(name)
  if (lower !== undefined) return lower
  lower = name.toLowerCase()
  if (lowerNames.size < MOST_NAMES && name.length <= LONGEST_NAME) lowerNames.set(name, lower)
  return lower
}

/** The fields without those whose lower-case name is in one of the sets. */
export function without(fields: Fields, names: ReadonlySet<string>, more?: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? ''
    const lower = lowerCase(name)
    if (names.has(lower) || more?.has(lower) === true) continue
    kept.push(name, fields[i + 1] ?? '')
  }
  return kept
}

/**
 * Fields that concern one connection and never travel further: those of RFC 9110 section 7.6.1, the older ones of
 * RFC 2616 section 13.5.1, and what proxies invented since. What `Connection` names is added per message.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'proxy-connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'proxy-authenticate', 'proxy-authorization', 'proxy-authentication-info',
])

const NONE: ReadonlySet<string> = new Set()

/** The lower-case names that this message's own `Connection` field makes hop-by-hop. */
export function connectionNames(fields: Fields): ReadonlySet<string> {
  let names: Set<string> | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.length !== 10 || lowerCase(fields[i] ?? '') !== 'connection') continue
    const value = fields[i + 1] ?? ''
    if (/^(?:keep-alive|close)$/i.test(value)) continue // nearly always
    names ??= new Set()
    for (const member of value.split(',')) names.add(member.trim().toLowerCase())
  }
  return names ?? NONE
}

/**
 * Fields of a request that stay here: hop-by-hop ones, `Expect` (we have read the body, so we were its recipient),
 * `Content-Length`, which is written anew for the captured body, and our own marks, which no client may set.
 * Read by core/forwarding.ts.
 */
export const NOT_FORWARDED: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'expect', 'content-length', 'idempotent-replayed', 'idempotency-unprotected', 'onceward-attempt'])

/** Marks that only we set on a reply; an upstream's own would be taken for ours. */
const OUR_MARKS: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'idempotent-replayed', 'idempotency-ttl', 'idempotency-unprotected'])

/** The end-to-end fields of an upstream's reply. */
export function received(fields: Fields): string[] {
  return without(fields, OUR_MARKS, connectionNames(fields))
}

/**
 * RFC 9110 section 6.5.1: what frames, routes or authenticates a message, or says how to read it, means nothing after
 * the content and must not be sent there. `Set-Cookie` would reach whoever a stored reply is replayed to.
 */
const NO_TRAILERS: ReadonlySet<string> = new Set([
  ...OUR_MARKS, 'content-length', 'content-encoding', 'content-type', 'content-range', 'host', 'authorization', 'www-authenticate',
  'set-cookie', 'cache-control', 'expires', 'date', 'location', 'retry-after', 'vary', 'age', 'proxy-status', 'via',
])

/** The trailers of an upstream's reply that go on; its `Connection` field names trailers, too. */
export function receivedTrailers(trailers: Fields, fields: Fields): string[] {
  return without(trailers, NO_TRAILERS, connectionNames(fields))
}

/** True if one of the members of `TE` says that trailers are read (RFC 9110 section 10.1.4). */
export function takesTrailers(fields: Fields): boolean {
  return valuesOf(fields, 'te').some((line) => line.split(',').some((member) => member.trim().toLowerCase() === 'trailers'))
}
