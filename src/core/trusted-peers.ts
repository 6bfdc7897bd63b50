import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

/** An address in its shortest form: an IPv4 address that arrived on an IPv6 socket (`::ffff:10.0.0.1`) is the IPv4 address. */
export function peerAddress(remote: string | undefined): string {
  if (remote === undefined) return 'unknown' // RFC 7239 section 6.2; the connection is gone already
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remote)?.[1]
  return mapped ?? remote.replace(/%.*$/, '') // without the zone, which means something on this machine only
}

export interface Network {
  readonly address: string
  readonly prefix: number
}

/** Reads `10.0.0.0/8`, `fd00::/8` or one address; undefined for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', digits, ...more] = text.split('/')
  const widest = isIPv4(address) ? 32 : isIPv6(address) ? 128 : undefined
  if (widest === undefined || more.length > 0 || address.includes('%')) return undefined
  if (digits === undefined) return { address, prefix: widest }
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > widest) return undefined
  return { address, prefix: Number(digits) }
}

/** Is this peer, as `peerAddress` has it, one whose forwarding fields we believe? */
export function trustedPeers(networks: readonly Network[]): (peer: string) => boolean {
  if (networks.length === 0) return () => false
  const list = new BlockList()
  for (const { address, prefix } of networks) list.addSubnet(address, prefix, isIPv4(address) ? 'ipv4' : 'ipv6')
  return (peer) => isIP(peer) !== 0 && list.check(peer, isIPv4(peer) ? 'ipv4' : 'ipv6')
}
