import { firstOf, type Fields } from './headers.ts'

/** The origins of web pages that may read our own replies. What the upstream's replies allow is the upstream's to say. */
export interface CorsPolicy {
  readonly origins: ReadonlySet<string>
}

/** What a page needs to read besides the body, to know whether and when to come back. */
const EXPOSED = 'Location, Preference-Applied, Retry-After, Idempotent-Replayed, Idempotency-TTL, Proxy-Status'

/**
 * The CORS fields of a reply of our own to this request. The origin is echoed, never `*`, so the reply varies by it;
 * a page of another origin is told nothing.
 */
export function corsFields(policy: CorsPolicy | null, request: Fields): Fields {
  if (policy === null || policy.origins.size === 0) return []
  const origin = firstOf(request, 'origin')
  if (origin === undefined || !policy.origins.has(origin)) return ['Vary', 'Origin']
  return ['Vary', 'Origin', 'Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', EXPOSED]
}
