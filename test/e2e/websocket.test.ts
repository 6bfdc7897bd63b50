import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { test, type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { startForTest } from '../support/start-sidecar.ts'
import { dial, standIn } from '../support/wire.ts'

const ROUTES = `
routes:
  - { name: passed, match: { path: /passed/* }, pass: true }
  - { name: guarded, match: { path: /guarded/* }, idempotency: { key: required } }
`

const HANDSHAKE = ['Host: shop.example', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']

function handshake(path: string, ...more: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, ...HANDSHAKE, ...more, '', ''].join('\r\n')
}

interface Service {
  readonly origin: string
  readonly asked: IncomingMessage[]
  /** the service's end of the next websocket */
  next(): Promise<WebSocket>
}

/** A service that takes every websocket, and of the subprotocols offered the last. */
async function websocketService(t: Test): Promise<Service> {
  const asked: IncomingMessage[] = []
  const taken: WebSocket[] = []
  const asking: ((one: WebSocket) => void)[] = []
  const server = createServer()
  const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered].at(-1) ?? false })
  sockets.on('connection', (socket, request) => {
    asked.push(request)
    const ask = asking.shift()
    if (ask === undefined) taken.push(socket)
    else ask(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  const address = server.address()
  return {
    origin: `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
    asked,
    next: () => new Promise((resolve) => {
      const one = taken.shift()
      if (one === undefined) asking.push(resolve)
      else resolve(one)
    }),
  }
}

test('a websocket keeps its subprotocol, fields, frames, pings and close code', async (t) => {
  const service = await websocketService(t)
  const sidecar = await startForTest(t, service.origin, { yaml: ROUTES })
  const client = new WebSocket(`${sidecar.address.replace('http', 'ws')}/passed/x?q=%2F..//`, ['one', 'two'], { headers: { 'X-Ticket': 't1', Cookie: 'a=1' } })
  t.teardown(() => client.terminate())
  const server = await service.next()
  if (client.readyState === WebSocket.CONNECTING) await once(client, 'open')
  t.equal(client.protocol, 'two', 'the service chose, not the proxy')
  const { url, headers } = service.asked[0] as IncomingMessage
  t.equal(url, '/passed/x?q=%2F..//')
  t.match(headers, { 'x-ticket': 't1', cookie: 'a=1', host: new URL(sidecar.address).host, via: /onceward/ })
  const text = once(server, 'message')
  client.send('caf\u00e9')
  t.strictSame((await text).map(String), ['caf\u00e9', 'false'])
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  const binary = once(client, 'message')
  server.send(every)
  const [bytes, isBinary] = await binary as [Buffer, boolean]
  t.ok(isBinary && bytes.equals(every))
  const pong = once(client, 'pong')
  client.ping('are you there')
  t.equal(String((await pong)[0]), 'are you there')
  const closed = once(server, 'close')
  client.close(4321, 'done')
  t.strictSame((await closed).map(String), ['4321', 'done'])
  t.equal(await sidecar.metric('http_request_outcome{class="2xx",method="GET",route="passed"}'), 1)
})

test('a websocket on a guarded route has no key to be guarded by', async (t) => {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  const client = dial(t, sidecar.address)
  client.socket.write(handshake('/guarded/x', 'Authorization: a', 'Idempotency-Key: k1') + 'too early? ')
  const server = await upstream.next()
  const seen = await server.until('\r\n\r\n')
  t.match(seen, /^GET \/guarded\/x HTTP\/1\.1\r\n/)
  t.match(seen, /connection: upgrade\r\nupgrade: websocket\r\n/i)
  t.match(seen, /Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n/)
  server.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-B: caf\u00e9\r\nx-a: 1\r\n\r\nfirst', 'latin1')
  t.match(await client.until('first'), /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\nX-B: caf\u00e9\r\nx-a: 1\r\n\r\nfirst$/)
  client.socket.write('bytes of any kind')
  t.match(await server.until('bytes of any kind'), /\r\n\r\ntoo early\? bytes of any kind$/)
  server.socket.write('and back')
  await client.until('and back')
  t.equal(await sidecar.metric('idempotency_key_total{outcome="new",route="guarded"}'), 0)
})

test('an Upgrade field does not take a key out of its guard, and other protocols are not asked for', async (t) => {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  const client = dial(t, sidecar.address)
  for (const [method, protocol] of [['POST', 'websocket'], ['POST', 'h2c'], ['POST', 'websocket, h2c']] as const) {
    client.socket.write([`${method} /guarded/x HTTP/1.1`, 'Host: a', 'Authorization: a', 'Connection: Upgrade', `Upgrade: ${protocol}`, 'Content-Length: 0', '', ''].join('\r\n'))
    await client.until('key-missing')
  }
  t.equal(upstream.opened(), 0)
  const plain = dial(t, sidecar.address)
  plain.socket.write('GET /passed/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n')
  const server = await upstream.next()
  t.notMatch(await server.until('\r\n\r\n'), /upgrade|http2-settings/i)
  server.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await plain.until('\r\n\r\nok')
  t.notOk(plain.socket.destroyed)
})

test('an upstream that does not switch has its answer passed on', async (t) => {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  const client = dial(t, sidecar.address)
  client.socket.write(handshake('/passed/x'))
  const server = await upstream.next()
  await server.until('\r\n\r\n')
  server.socket.write('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 7\r\n\r\nsign in')
  t.match(await client.until('sign in'), /^HTTP\/1\.1 401 [^\r]*\r\nWWW-Authenticate: Bearer\r\n/)
  t.equal(await client.closed(), 'end')
  t.equal(await sidecar.metric('http_request_outcome{class="4xx",method="GET",route="passed"}'), 1)
})

test('a handshake that fails is a problem, and the connection ends', async (t) => {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  const broken = dial(t, sidecar.address)
  broken.socket.write(handshake('/passed/x'))
  const server = await upstream.next()
  await server.until('\r\n\r\n')
  server.socket.resetAndDestroy()
  t.match(await broken.until('upstream-failed"'), /^HTTP\/1\.1 502 /)
  t.equal(await broken.closed(), 'end')
  const reserved = dial(t, sidecar.address)
  reserved.socket.write(handshake('/_onceward/x'))
  t.match(await reserved.until('not-found"'), /^HTTP\/1\.1 404 /)
  t.equal(await reserved.closed(), 'end')
  const nobody = dial(t, (await startForTest(t, 'http://127.0.0.1:1', { yaml: ROUTES })).address)
  nobody.socket.write(handshake('/passed/x'))
  t.match(await nobody.until('upstream-unreachable"'), /^HTTP\/1\.1 502 /)
})

test('who stops reading a websocket stops the other side', async (t) => {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  const client = dial(t, sidecar.address)
  client.socket.write(handshake('/passed/x'))
  const server = await upstream.next()
  await server.until('\r\n\r\n')
  server.socket.write('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await client.until('\r\n\r\n')
  for (const [from, to] of [[client, server], [server, client]] as const) {
    const before = to.bytes()
    to.socket.pause()
    const megabytes = 100
    let written = 0
    const pump = (): void => {
      while (written < megabytes) {
        written += 1
        if (!from.socket.write(Buffer.alloc(1 << 20))) return void from.socket.once('drain', pump)
      }
    }
    pump()
    for (let same = 0, last = -1; same < 10; same = written === last ? same + 1 : 0, last = written) await new Promise((resolve) => { setTimeout(resolve, 20) })
    t.ok(written < 50, `most of the ${megabytes} MB are still with the sender: ${megabytes - written}`)
    to.socket.resume()
    while (to.bytes() - before < megabytes << 20) await once(to.socket, 'data')
  }
})

for (const [who, other] of [['client', 'upstream'], ['upstream', 'client']] as const) {
  for (const how of ['end', 'resetAndDestroy'] as const) {
    test(`a ${who} that leaves a websocket with ${how} takes the ${other} with it, and nothing else`, async (t) => {
      const upstream = await standIn(t)
      const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
      const client = dial(t, sidecar.address)
      client.socket.write(handshake('/passed/x'))
      const server = await upstream.next()
      await server.until('\r\n\r\n')
      server.socket.write('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await client.until('\r\n\r\n')
      const [leaving, staying] = who === 'client' ? [client, server] : [server, client]
      leaving.socket.write('last words')
      if (how === 'resetAndDestroy') await staying.until('last words')
      leaving.socket[how]()
      await staying.closed()
      t.match(staying.received(), /last words$/)
      const again = dial(t, sidecar.address)
      again.socket.write('GET /passed/x HTTP/1.1\r\nHost: a\r\n\r\n')
      await (await upstream.next()).until('\r\n\r\n')
    })
  }
}

test('a client that leaves before the upstream has answered its handshake takes it with it', async (t) => {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES })
  const client = dial(t, sidecar.address)
  client.socket.write(handshake('/passed/x'))
  const server = await upstream.next()
  await server.until('\r\n\r\n')
  client.socket.resetAndDestroy()
  await server.closed()
  for (let i = 0; i < 500 && await sidecar.metric('http_request_outcome{class="4xx",method="GET",route="passed"}') === 0; i += 1) await new Promise((resolve) => { setTimeout(resolve, 20) })
  t.equal(await sidecar.metric('http_request_outcome{class="4xx",method="GET",route="passed"}'), 1)
})

test('a process that stops takes no handshake, and closes websockets at the end of the grace', async (t) => {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: ROUTES, graceMs: 3000 })
  const open = dial(t, sidecar.address)
  open.socket.write(handshake('/passed/x'))
  const server = await upstream.next()
  await server.until('\r\n\r\n')
  server.socket.write('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await open.until('\r\n\r\n')
  const late = dial(t, sidecar.address)
  const [before, after] = [handshake('/passed/x').slice(0, 30), handshake('/passed/x').slice(30)]
  late.socket.write(`GET /passed/x HTTP/1.1\r\nHost: a\r\n\r\n${before}`) // half a head: the connection is not idle
  const plain = await upstream.next()
  await plain.until('\r\n\r\n')
  plain.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await late.until('\r\n\r\nok')
  const stopped = sidecar.stop()
  open.socket.write('still here')
  await server.until('still here')
  late.socket.write(after)
  t.match(await late.until('draining"'), /HTTP\/1\.1 503 /)
  await stopped
  await open.closed()
  await server.closed()
})
