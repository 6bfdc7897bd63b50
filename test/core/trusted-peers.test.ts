import fc from 'fast-check'
import { test } from 'tap'
import { parseNetwork, peerAddress, trustedPeers } from '../../src/core/trusted-peers.ts'

const networks = (...texts: string[]) => texts.map((text) => parseNetwork(text) ?? { address: 'none', prefix: 0 })

test('an IPv4 address on an IPv6 socket is that IPv4 address, for every network of either kind', async (t) => {
  t.equal(peerAddress('::ffff:10.1.2.3'), '10.1.2.3')
  t.equal(peerAddress('::FFFF:10.1.2.3'), '10.1.2.3')
  t.equal(peerAddress('fe80::1%eth0'), 'fe80::1')
  t.equal(peerAddress(undefined), 'unknown')
  const trusts = trustedPeers(networks('10.0.0.0/8', 'fd00::/8'))
  t.ok(trusts(peerAddress('::ffff:10.1.2.3')))
  t.ok(trusts('fd12::1'))
  t.notOk(trusts('11.0.0.1'))
  t.notOk(trusts('unknown'))
  t.notOk(trusts('fe80::1'))
})

test('one address is a network of itself, and no network trusts nobody', async (t) => {
  t.ok(trustedPeers(networks('192.0.2.7'))('192.0.2.7'))
  t.notOk(trustedPeers(networks('192.0.2.7'))('192.0.2.8'))
  t.notOk(trustedPeers([])('127.0.0.1'))
})

test('what is no network is refused, and no text makes the reader throw', async (t) => {
  for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '::/129', 'localhost', '10.0.0.0/8/8', 'fe80::1%eth0', '/8', '10.0.0.0/-1', '10.0.0.0/ 8']) t.equal(parseNetwork(text), undefined, text)
  fc.assert(fc.property(fc.oneof(fc.string(), fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, prefix]) => `${ip}/${prefix}`)), (text) => {
    const network = parseNetwork(text)
    if (network !== undefined) trustedPeers([network])('10.0.0.1')
    return true
  }))
})
