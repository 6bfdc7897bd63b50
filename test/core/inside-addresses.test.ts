import { test } from 'tap'
import { parseNetwork, type Network } from '../../src/core/trusted-peers.ts'
import { insideExcept } from '../../src/core/inside-addresses.ts'

const INSIDE = [
  '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1', '172.31.255.255',
  '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.0.1', '192.168.255.255', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255',
  '::', '::1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1', 'fc00::1', 'fd00:ec2::254', 'fdff::1', 'ff02::1', 'ff0e::1', '100::1', '2001::1', '2001:db8::1', '3fff::1', '5f00::1', '4000::1',
  '64:ff9b:1::a00:1',
]

/** Each of these IPv4 addresses stands in every one of these forms. */
const FORMS: readonly (readonly [string, (address: string) => string])[] = [
  ['mapped', (address) => `::ffff:${address}`],
  ['mapped, in hex', (address) => `::ffff:${hex(address)}`],
  ['mapped, in full', (address) => `0:0:0:0:0:ffff:${hex(address)}`],
  ['compatible', (address) => `::${address}`],
  ['translated', (address) => `::ffff:0:${address}`],
  ['NAT64', (address) => `64:ff9b::${address}`],
  ['NAT64, in full', (address) => `0064:FF9B:0000:0000:0000:0000:${hex(address)}`],
  ['6to4', (address) => `2002:${hex(address)}::1`],
]

const OUTSIDE = [
  '1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.1', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255', '192.169.0.0',
  '198.17.255.255', '198.20.0.0', '223.255.255.255', '2606:4700:4700::1111', '2001:4860:4860::8888', '2a00:1450::1', '2620:4f:8000::1', '3ffe::1',
]

test('addresses inside are refused, in every form; others are not', async (t) => {
  const refused = insideExcept([])
  for (const address of INSIDE) t.ok(refused(address), address)
  for (const address of OUTSIDE) t.notOk(refused(address), address)
  for (const [form, write] of FORMS) {
    for (const address of INSIDE.filter(isDotted)) t.ok(refused(write(address)), `${form}: ${write(address)}`)
    for (const address of OUTSIDE.filter(isDotted)) t.notOk(refused(write(address)), `${form}: ${write(address)}`)
  }
})

test('what is no address is refused', async (t) => {
  const refused = insideExcept([{ address: '0.0.0.0', prefix: 0 }, { address: '::', prefix: 0 }])
  for (const text of ['', 'localhost', '8.8.8.8.', '8.8.8', '0x08080808', '[::1]', '1::2::3', 'none']) t.ok(refused(text), text)
})

test('what allow has is not refused, in whatever form it comes, and nothing beside it', async (t) => {
  const refused = insideExcept(networks('10.1.0.0/16', '169.254.169.254', 'fd00:1::/32', '::1'))
  for (const address of ['10.1.0.1', '10.1.255.255', '169.254.169.254', 'fd00:1::5', '::1', ...FORMS.map(([, write]) => write('10.1.2.3'))]) t.notOk(refused(address), address)
  for (const address of ['10.0.255.255', '10.2.0.0', '169.254.169.253', 'fd00:2::5', '::2', '127.0.0.1', ...FORMS.map(([, write]) => write('10.2.0.1'))]) t.ok(refused(address), address)
  t.notOk(insideExcept(networks('0.0.0.0/0'))('192.168.1.1'), 'everything, by one network')
})

function networks(...texts: readonly string[]): Network[] {
  return texts.map(parseNetwork).filter((network) => network !== undefined)
}

function isDotted(address: string): boolean {
  return /^[\d.]+$/.test(address)
}

function hex(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}
