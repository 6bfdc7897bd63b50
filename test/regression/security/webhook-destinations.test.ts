import type { LookupAddress } from 'node:dns'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test, type Test } from 'tap'
import { peerAddress } from '../../../src/core/trusted-peers.ts'
import { outgoing } from '../../contract/sink-situation.ts'
import { startReceiver } from '../../sink/webhook-receiver.ts'
import { deliverOne, webhookTo } from '../../sink/webhook-situation.ts'

/*
 * Server-side request forgery: whoever can change what a receiver's name means, or where it redirects to, has us talk to
 * addresses that only we can reach. (Redirects: test/sink/webhook.test.ts.)
 */

const SPELLINGS = [
  '127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001', '127.0.0.1.', '127.000.000.001', '%31%32%37.0.0.1', '１２７.0.0.1', '127。0。0。1', '0.0.0.0', '0', 'localhost', 'LOCALHOST',
  '[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '[::ffff:0:127.0.0.1]',
]

for (const host of SPELLINGS) {
  test(`no spelling of an address inside is connected to: ${host}`, async (t) => {
    const door = await watchedDoor(t)
    const end = await deliverOne(webhookTo(t, `http://${host}:${door.port}/`, { allow: [], timeoutMs: 3000 }), outgoing('a'))
    t.match(end, { kind: 'retryable', blame: 'sink', cause: /^the name of the receiver leads inside, to \S+, and `allow` does not have that address$/ })
    t.equal(door.knocks(), 0)
  })
}

test('the metadata services of clouds are not asked, by address or by name', async (t) => {
  for (const address of ['169.254.169.254', '169.254.170.2', '100.100.100.200', 'fd00:ec2::254', '::ffff:169.254.169.254']) {
    const named = webhookTo(t, 'http://metadata.example/', { allow: [] }, { lookup: (_name, _options, callback) => callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]) })
    t.match(await deliverOne(named, outgoing('a')), { kind: 'retryable', blame: 'sink', cause: new RegExp(`inside, to ${address.replaceAll('.', '\\.')},`) })
    const literal = webhookTo(t, `http://${address.includes(':') ? `[${address}]` : address}/latest/meta-data/`, { allow: [] })
    t.match(await deliverOne(literal, outgoing('a')), { kind: 'retryable', blame: 'sink', cause: /leads inside/ })
  }
})

test('a name that changes between the check and the connection gains nothing: it is looked up once for each', async (t) => {
  const door = await watchedDoor(t)
  const receiver = await startReceiver(t)
  const answers: LookupAddress[][] = []
  let lookups = 0
  const sink = webhookTo(t, `http://rebound.example:${receiver.port}/`, { allow: [{ address: '127.0.0.1', prefix: 32 }] }, {
    lookup(_name, _options, callback) {
      lookups += 1
      callback(null, answers.shift() ?? [{ address: '127.0.0.2', family: 4 }])
    },
  })
  answers.push([{ address: '127.0.0.1', family: 4 }])
  t.match(await deliverOne(sink, outgoing('a')), { kind: 'delivered' })
  t.equal(lookups, 1, 'what was checked is what is connected to')
  await new Promise((resolve) => { setImmediate(resolve) }) // then the connection is free again
  receiver.answer = (response) => void response.writeHead(204, { connection: 'close' }).end()
  t.match(await deliverOne(sink, outgoing('a')), { kind: 'delivered' })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.match(await deliverOne(sink, outgoing('a')), { kind: 'retryable', blame: 'sink', cause: /inside, to 127\.0\.0\.2,/ })
  t.equal(lookups, 2, 'a new connection is a new look-up, and a new check')
  t.equal(door.knocks(), 0)
})

test('of several addresses only those outside, or allowed, are connected to', async (t) => {
  const door = await watchedDoor(t)
  const sink = webhookTo(t, `http://several.example:${door.port}/`, { allow: [{ address: '127.0.0.1', prefix: 32 }], timeoutMs: 2000 }, {
    lookup: (_name, _options, callback) => callback(null, [{ address: '127.0.0.2', family: 4 }, { address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 }]),
  })
  for (let n = 0; n < 3; n += 1) t.match(await deliverOne(sink, outgoing('a')), { kind: 'retryable', blame: 'unknown' }, 'nobody answers here')
  t.strictSame(new Set(door.addresses), new Set(['127.0.0.1']))
  const none = webhookTo(t, 'http://none.example/', { allow: [] }, { lookup: (_name, _options, callback) => callback(null, []) })
  t.match(await deliverOne(none, outgoing('a')), { kind: 'retryable', blame: 'sink' })
})

/** A port on all addresses of this machine that counts who comes. */
async function watchedDoor(t: Test): Promise<{ readonly port: number, readonly knocks: () => number, readonly addresses: readonly string[] }> {
  let knocks = 0
  const addresses: string[] = []
  const server = createServer((socket) => {
    knocks += 1
    addresses.push(peerAddress(socket.localAddress))
    socket.destroy()
  }).listen(0, '::')
  await once(server, 'listening').catch(async () => { await once(server.listen(0, '0.0.0.0'), 'listening') })
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, knocks: () => knocks, addresses }
}
