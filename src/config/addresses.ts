import { isIPv4, isIPv6 } from 'node:net'

/** Where to listen. `host` is a name or an IP address without brackets; port 0 takes any free port. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Reads `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`; a port alone does not say who may connect. */
export function parseAddress(text: string): Address | undefined {
  const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65535) return undefined
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined
  // 1.2.3 or 300.0.0.1 would be looked up as a name and fail at the start, far from the line that has it
  if (name === undefined || (/^[0-9.]+$/.test(name) && !isIPv4(name))) return undefined
  return { host: name, port }
}

export function parseLoopback(text: string): Address | undefined {
  const address = parseAddress(text)
  return address !== undefined && isLoopback(address.host) ? address : undefined
}

export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** `http://host:port` in its normal form; undefined for a URL with a path, a query, a fragment or credentials. */
export function parseOrigin(text: string): string | undefined {
  if (!/^https?:\/\/[^/?#@\\\s]+\/?$/i.test(text) || !URL.canParse(text)) return undefined
  return new URL(text).origin
}

/**
 * A URL of published keys, without credentials (it is shown in logs) and fragment; `safe` if nobody on the way can
 * change what comes back.
 */
export function parseKeysUrl(text: string): { readonly safe: boolean } | undefined {
  if (!/^https?:\/\/[^@\\\s#]+$/i.test(text) || !URL.canParse(text)) return undefined
  const { protocol, hostname } = new URL(text)
  return { safe: protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, '')) }
}

/** True if requests to `origin` would arrive at the one who listens there, round and round. */
export function leadsTo(origin: string, listen: Address): boolean {
  const { protocol, hostname, port } = new URL(origin)
  if (listen.port === 0 || Number(port || (protocol === 'https:' ? 443 : 80)) !== listen.port) return false
  const target = hostname.replace(/^\[|\]$/g, '')
  const everywhere = listen.host === '0.0.0.0' || listen.host === '::'
  return everywhere ? isLoopback(target) || target === listen.host : canonical(target) === canonical(listen.host)
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.port !== 0 && a.port === b.port && canonical(a.host) === canonical(b.host)
}

function canonical(host: string): string {
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : host.toLowerCase()
}
