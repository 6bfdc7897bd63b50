import { firstOf, type Fields } from './headers.ts'
import type { Policy } from './policy.ts'

/**
 * Requests go through as they are, with or without a key. `deadlineMs` is how long a client waits for the upstream's
 * answer on a route that has `retry`; null is for ever.
 */
export interface Pass {
  readonly kind: 'pass'
  readonly deadlineMs: number | null
}

export interface Route {
  /** the metric label; unique */
  readonly name: string
  /** upper case; null matches every method */
  readonly methods: ReadonlySet<string> | null
  /** lower case, without port; null matches every host */
  readonly host: string | null
  readonly path: PathPattern
  readonly action: Pass | { readonly kind: 'guard', readonly policy: Policy }
}

/** Segments of a normalised path: a literal, `:name` for any one segment, or a final `*` for all that follows. */
export type PathPattern = readonly string[]

export function pathPattern(text: string): PathPattern {
  return text.split('/').filter((segment) => segment !== '')
}

export type PathReading = { readonly kind: 'path', readonly segments: readonly string[] } | { readonly kind: 'invalid', readonly detail: string }

/**
 * A request target's path as routes see it: unreserved characters decoded, `//` merged, dot segments removed, a
 * trailing slash ignored (RFC 3986 section 6.2.2). What two servers could read differently is refused, because a
 * path that matches one route here and another endpoint there is a way around its policy. Bytes travel as sent.
 */
export function readPath(target: string): PathReading {
  const end = target.search(/[?#]/)
  const path = end === -1 ? target : target.slice(0, end)
  if (!path.startsWith('/')) return path === '*' ? { kind: 'path', segments: ['*'] } : { kind: 'invalid', detail: 'the request target must be a path' }
  if (PLAIN.test(path)) return { kind: 'path', segments: path.split('/').filter((segment) => segment !== '') }
  if (/%2f|%5c|\\|%00|\0/i.test(path)) return { kind: 'invalid', detail: 'the path has an encoded slash, a backslash or a NUL' }
  if (/%(?![0-9a-f]{2})/i.test(path)) return { kind: 'invalid', detail: 'the path has a broken percent-encoding' }
  const segments: string[] = []
  for (const raw of path.split('/')) {
    const segment = raw.includes('%') ? raw.replace(/%[0-9a-f]{2}/gi, decodeUnreserved) : raw
    if (segment === '' || segment === '.') continue
    if (segment !== '..') segments.push(segment)
    else if (segments.pop() === undefined) return { kind: 'invalid', detail: 'the path leads above its root' }
  }
  return { kind: 'path', segments }
}

/** Most paths: nothing encoded, no segment that begins with a dot. */
const PLAIN = /^(?:\/(?:[\w~-][\w.~-]*)?)*$/

function decodeUnreserved(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
  return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase()
}

/** The first route that matches, in the order of the configuration; the last one matches everything. */
export function matchRoute(routes: readonly Route[], method: string, segments: readonly string[], fields: Fields): Route | undefined {
  return routes.find((route) =>
    (route.methods === null || route.methods.has(method)) && matchesPath(route.path, segments) && (route.host === null || route.host === hostOf(fields)))
}

function matchesPath(pattern: PathPattern, segments: readonly string[]): boolean {
  for (let i = 0; i < pattern.length; i += 1) {
    const expected = pattern[i] ?? ''
    if (expected === '*' && i === pattern.length - 1) return true
    if (i >= segments.length || (expected !== segments[i] && !expected.startsWith(':'))) return false
  }
  return pattern.length === segments.length
}

function hostOf(fields: Fields): string {
  return (firstOf(fields, 'host') ?? '').toLowerCase().replace(/:\d+$/, '')
}
