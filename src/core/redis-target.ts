/*
 * How a Redis is named: one server, a group of sentinels that know their master, or a cluster.
 *
 *     redis://[user:password@]host[:6379][/database]
 *     redis+sentinel://[user:password@]host[:26379],host,.../master-name[/database][?sentinel_user=..&sentinel_password=..]
 *     redis+cluster://[user:password@]host[:6379],host,...
 *
 * `rediss` instead of `redis` means TLS on every connection, those to sentinels included. Parts with reserved characters
 * are percent-encoded, as in every URL.
 */

export interface HostPort {
  readonly host: string
  readonly port: number
}

export interface Login {
  /** null: the default user */
  readonly user: string | null
  readonly password: string
}

export type RedisTarget = { readonly tls: boolean, readonly login: Login | null } & (
  | { readonly kind: 'single', readonly server: HostPort, readonly database: number }
  | { readonly kind: 'sentinel', readonly sentinels: readonly HostPort[], readonly master: string, readonly database: number, readonly sentinelLogin: Login | null }
  | { readonly kind: 'cluster', readonly nodes: readonly HostPort[] }
)

const SHAPE = /^(rediss?)(\+sentinel|\+cluster)?:\/\/(?:([^@/?#\s]*)@)?([^@/?#\s]+)((?:\/[^/?#\s]*)*)(?:\?([^#\s]*))?$/
const SENTINEL_PARAMETERS = ['sentinel_user', 'sentinel_password']

/** Undefined for everything that is not one of the forms above. */
export function parseRedisUrl(text: string): RedisTarget | undefined {
  const [, scheme, form, credentials, hosts = '', path = '', query = ''] = SHAPE.exec(text) ?? []
  if (scheme === undefined) return undefined
  const login = credentials === undefined ? null : readLogin(credentials)
  const servers = readHosts(hosts, form === '+sentinel' ? 26379 : 6379)
  const steps = path.split('/').slice(1).filter((step, i, all) => step !== '' || i < all.length - 1).map(decoded)
  const parameters = new URLSearchParams(query)
  const known = form === '+sentinel' ? SENTINEL_PARAMETERS : []
  if (login === undefined || servers === undefined || steps.includes(undefined) || [...parameters.keys()].some((name) => !known.includes(name))) return undefined
  const common = { tls: scheme === 'rediss', login }
  if (form === '+cluster') return steps.length === 0 ? { ...common, kind: 'cluster', nodes: servers } : undefined
  if (form === '+sentinel') {
    const [master, database = '0', ...rest] = steps
    if (master === undefined || master === '' || rest.length > 0 || !/^\d{1,5}$/.test(database)) return undefined
    return { ...common, kind: 'sentinel', sentinels: servers, master, database: Number(database), sentinelLogin: sentinelLogin(parameters) }
  }
  const [server, ...others] = servers
  const [database = '0', ...rest] = steps
  if (server === undefined || others.length > 0 || rest.length > 0 || !/^\d{1,5}$/.test(database)) return undefined
  return { ...common, kind: 'single', server, database: Number(database) }
}

function readLogin(text: string): Login | null | undefined {
  const colon = text.indexOf(':')
  const user = decoded(colon === -1 ? text : text.slice(0, colon))
  const password = decoded(colon === -1 ? '' : text.slice(colon + 1))
  if (user === undefined || password === undefined) return undefined
  return password === '' ? (user === '' ? null : undefined) : { user: user === '' ? null : user, password }
}

function sentinelLogin(parameters: URLSearchParams): Login | null {
  const password = parameters.get('sentinel_password')
  return password === null ? null : { user: parameters.get('sentinel_user'), password }
}

function readHosts(text: string, standardPort: number): HostPort[] | undefined {
  const hosts: HostPort[] = []
  for (const one of text.split(',')) {
    const [, bracketed, name, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(one) ?? []
    const host = bracketed ?? name
    const port = Number(digits ?? standardPort)
    if (host === undefined || port === 0 || port > 65535) return undefined
    hosts.push({ host, port })
  }
  return hosts
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
