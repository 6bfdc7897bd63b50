import { isIPv4, isIPv6 } from 'node:net'
import { trustedPeers as within, type Network } from './trusted-peers.ts'

/*
 * Which addresses lead inside: to this machine, its network, or to nobody. An event goes to a receiver that the
 * configuration names, but what the name means is decided by whoever answers for it, and the metadata service of a cloud
 * is only one wrong answer away. From the registries of special-purpose addresses (RFC 6890 and what IANA added since);
 * of IPv6 what is not expressly global counts as inside.
 */

const INSIDE_IPV4 = within([
  net('0.0.0.0', 8), net('10.0.0.0', 8), net('100.64.0.0', 10), net('127.0.0.0', 8), net('169.254.0.0', 16), net('172.16.0.0', 12),
  net('192.0.0.0', 24), net('192.0.2.0', 24), net('192.88.99.0', 24), net('192.168.0.0', 16), net('198.18.0.0', 15),
  net('198.51.100.0', 24), net('203.0.113.0', 24), net('224.0.0.0', 4), net('240.0.0.0', 4),
])

const GLOBAL_IPV6 = within([net('2000::', 3)])
/** Parts of 2000::/3 that are none of the public network's: protocols (Teredo among them), examples. */
const NOT_GLOBAL_IPV6 = within([net('2001::', 23), net('2001:db8::', 32), net('3fff::', 20)])

/** Tells whether an address is inside and none of `allow` has it, in this form or in the IPv4 form that it stands for. */
export function insideExcept(allow: readonly Network[]): (address: string) => boolean {
  const allowed = within(allow)
  return (address) => {
    if (isIPv4(address)) return INSIDE_IPV4(address) && !allowed(address)
    if (!isIPv6(address) || address.includes('%')) return true // no address at all, or one of a link
    if (allowed(address)) return false
    const embedded = embeddedIPv4(groupsOf(address))
    if (embedded !== null) return INSIDE_IPV4(embedded) && !allowed(embedded)
    return !GLOBAL_IPV6(address) || NOT_GLOBAL_IPV6(address)
  }
}

/**
 * The IPv4 address to which an IPv6 one leads: mapped (::ffff:0:0/96), compatible (::/96, with :: and ::1 in it), translated
 * (::ffff:0:0:0/96), NAT64 (64:ff9b::/96), 6to4 (2002::/16); else null.
 */
function embeddedIPv4(groups: readonly number[]): string | null {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups
  if (a === 0x2002) return dotted(b, c)
  const head = a === 0 && b === 0 && c === 0 && d === 0
  const mappedOrCompatible = head && e === 0 && (f === 0 || f === 0xffff)
  const translated = head && e === 0xffff && f === 0
  const nat64 = a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0
  return mappedOrCompatible || translated || nat64 ? dotted(g, h) : null
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** The eight groups of an IPv6 address. The URL parser writes it in one form, without dots. */
function groupsOf(address: string): number[] {
  const [front = '', back] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const [before, after] = [front, back ?? ''].map((part) => part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [first, last] = [before ?? [], after ?? []]
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}

function net(address: string, prefix: number): Network {
  return { address, prefix }
}
