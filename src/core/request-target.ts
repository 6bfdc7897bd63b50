/** A request target by its form (RFC 9112 section 3.2); authority-form belongs to CONNECT, which never gets here. */
export type TargetReading =
  /** `target` is path and query, byte for byte; `authority` is what an absolute-form target names in place of Host */
  | { readonly kind: 'origin', readonly target: string, readonly authority: string | null }
  /** `OPTIONS *`: the server as a whole is asked */
  | { readonly kind: 'asterisk', readonly authority: string | null }
  | { readonly kind: 'invalid', readonly detail: string }

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)$/i

export function readTarget(method: string, target: string): TargetReading {
  if (target.startsWith('/')) {
    return target.includes('#') ? invalid('the request target has a fragment') : { kind: 'origin', target, authority: null }
  }
  if (target === '*') return method === 'OPTIONS' ? { kind: 'asterisk', authority: null } : invalid('the target * belongs to OPTIONS alone')
  const [, authority, rest = ''] = ABSOLUTE.exec(target) ?? []
  if (authority === undefined) return invalid('the request target must be a path or an http or https URL')
  if (!isHost(authority)) return invalid('the request target names no valid host')
  if (rest === '' && method === 'OPTIONS') return { kind: 'asterisk', authority }
  return { kind: 'origin', target: rest.startsWith('/') ? rest : `/${rest}`, authority }
}

/**
 * A host with an optional port (RFC 3986 section 3.2.2), without user information. A comma, which the grammar allows
 * in names, is refused: it is what two joined Host lines look like.
 */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?$/

export function isHost(value: string): boolean {
  return HOST.test(value)
}

function invalid(detail: string): TargetReading {
  return { kind: 'invalid', detail }
}

/** What may be told of a target as it came: its path. A query may hold anything, and an authority a password. */
export function toldPath(target: string): string {
  const path = target.startsWith('/') ? target : target.replace(/^[^/?#]*:\/\/[^/?#]*/, '')
  const end = path.search(/[?#]/)
  const told = end === -1 ? path : path.slice(0, end)
  return told.startsWith('/') || told === '*' ? told : ''
}
