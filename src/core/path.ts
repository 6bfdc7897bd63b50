/** Segments of a normalised path: a literal, `:name` for any one segment, or a final `*` for all that follows. */
export type PathPattern = readonly string[]

export type PathReading =
  /** `authority`: host and port of an absolute-form target, which overrides the Host field (RFC 9112 section 3.2.2) */
  | { readonly kind: 'path', readonly segments: readonly string[], readonly authority: string | null }
  | { readonly kind: 'invalid', readonly detail: string }

/**
 * A request target's path as routes see it (RFC 3986 section 6.2.2): unreserved characters decoded, what no URI may
 * hold encoded, `//` merged, dot segments removed, a trailing slash ignored. What two servers could read differently
 * is refused, because a path that matches one route here and another endpoint there is a way around its policy.
 * Bytes travel as sent. `target` has one character per byte; `*`, which asks about the server as a whole, has no segments.
 */
export function readPath(target: string): PathReading {
  if (target.startsWith('/')) return readSegments(target, null)
  if (target === '*') return { kind: 'path', segments: [], authority: null }
  const authority = /^https?:\/\/([^/?#@\\]+)(?=[/?#]|$)/i.exec(target)
  if (authority === null) return invalid('the request target must be a path')
  return readSegments(target.slice(authority[0].length), authority[1] ?? '')
}

/** Nearly every path: nothing encoded, no segment that begins with a dot. */
const PLAIN = /^(?:\/(?:[\w~-][\w.~-]*)?)*$/

function readSegments(target: string, authority: string | null): PathReading {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (PLAIN.test(path)) return { kind: 'path', segments: path.split('/').filter((segment) => segment !== ''), authority }
  const objection = objectionTo(path)
  if (objection !== null) return invalid(objection)
  const normal = path.replace(NOT_NORMAL, normalCharacter)
  if (OVERLONG.test(normal)) return invalid('the path hides a character in an overlong encoding')
  const segments: string[] = []
  for (const segment of normal.split('/')) {
    if (segment === '' || segment === '.') continue
    // Servlet containers take the parameters off first and then see a dot segment.
    if (/^\.\.?;/.test(segment)) return invalid('the path has a dot segment with parameters')
    if (segment !== '..') segments.push(segment)
    else if (segments.pop() === undefined) return invalid('the path leads above its root')
  }
  return { kind: 'path', segments, authority }
}

function objectionTo(path: string): string | null {
  if (/%2f|%5c|\\|%00|\0/i.test(path)) return 'the path has an encoded slash, a backslash or a NUL'
  if (/%(?![0-9a-f]{2})/i.test(path)) return 'the path has a broken percent-encoding'
  if (path.includes('#')) return 'a request target has no fragment'
  return /^[\x21-\x7e\x80-\xff]*$/.test(path) ? null : 'the path has a space, a control character or one that is no byte'
}

/** What is encoded, and what should have been: everything that a segment may not hold as it is (RFC 3986 section 3.3). */
const NOT_NORMAL = /%[0-9a-f]{2}|[^\w.~!$&'()*+,;=:@/-]/gi

function normalCharacter(found: string): string {
  const byte = found.length === 1 ? found.charCodeAt(0) : Number.parseInt(found.slice(1), 16)
  const character = String.fromCharCode(byte)
  return /[\w.~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** ASCII in more bytes than it needs (RFC 3629 section 3): `%C0%AF` was a slash to decoders that did not look. */
const OVERLONG = /%C[01]%[89AB]|%E0%[89]|%F0%8/

function invalid(detail: string): PathReading {
  return { kind: 'invalid', detail }
}

const READ_IN_ONE_WAY = /^[^A-Z%;]*$/

/**
 * The same segments as a careless server reads them: decoded once more, slashes among what that gives, without
 * parameters (`;v=1`), in one case. `lookalike(a)` and `lookalike(b)` equal: such a server takes a for b. Returns the
 * very list it was given where there is only one way to read it.
 */
export function lookalike(segments: readonly string[]): readonly string[] {
  if (segments.every((segment) => READ_IN_ONE_WAY.test(segment))) return segments
  const decoded = segments.join('/').replace(/%(?:25)+(?=[0-9a-f]{2})/gi, '%').replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
  const seen: string[] = []
  for (const raw of decoded.toLowerCase().split(/[/\\]/)) {
    const [segment = ''] = raw.split(';')
    if (segment === '..') seen.pop()
    else if (segment !== '' && segment !== '.') seen.push(segment)
  }
  return seen
}

export function matchesPath(pattern: PathPattern, segments: readonly string[]): boolean {
  for (let i = 0; i < pattern.length; i += 1) {
    const expected = pattern[i] ?? ''
    if (expected === '*' && i === pattern.length - 1) return true
    if (i >= segments.length || (expected !== segments[i] && !expected.startsWith(':'))) return false
  }
  return pattern.length === segments.length
}
