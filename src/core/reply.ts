import { connectionNames, HOP_BY_HOP, without, type Fields } from './headers.ts'

/**
 * An upstream's answer, whole. `headers` and `trailers` are flat lists (see `Fields`); HTTP/1.1 rarely has
 * trailers, gRPC always does, so they are stored from the start. `body` is the content's bytes, never decoded.
 */
export interface Reply {
  readonly status: number
  readonly headers: Fields
  readonly body: Uint8Array
  readonly trailers: Fields
}

/**
 * What a completed record can give back: the reply itself, or the fact that there was one which was too large or
 * too streaming to keep (invariant I2's one stated exception).
 */
export type StoredReply = { readonly kind: 'kept', readonly reply: Reply } | { readonly kind: 'not-kept', readonly status: number }

/** Marks a reply that is stored sealed; see store/keyring.ts. */
export const SEALED = 'onceward-sealed'

/**
 * Fields that are never stored. Hop-by-hop and framing fields belong to the connection; `Set-Cookie` may carry a
 * session to whoever replays; `Date` and `Age` would be false; trace and rate-limit fields describe the first
 * request only; the replay marks are ours alone to set.
 */
const NEVER_STORED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'content-length', 'set-cookie', 'set-cookie2', 'date', 'age',
  'traceparent', 'tracestate', 'traceresponse', 'server-timing', 'x-request-id', 'x-trace-id', 'x-b3-traceid', 'x-b3-spanid',
  'ratelimit', 'ratelimit-policy', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset',
  'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset',
  'idempotent-replayed', 'idempotency-ttl', 'idempotency-unprotected', 'proxy-status', SEALED,
])

/** The fields of a reply that its record keeps; everything not denied by name stays, in order. */
export function storable(headers: Fields): string[] {
  return without(headers, NEVER_STORED, connectionNames(headers))
}

/** RFC 9110 section 6.4.1: these never carry content, whatever their fields say. */
export function hasNoContent(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304 || (status >= 100 && status < 200)
}
