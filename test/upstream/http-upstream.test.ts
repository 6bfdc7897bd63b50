import { createServer } from 'node:net'
import { once } from 'node:events'
import { test, type Test } from 'tap'
import type { AttemptOutcome, StreamedBody } from '../../src/core/attempt.ts'
import type { AttemptLimits, Upstream } from '../../src/core/ports.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openHttpUpstream } from '../../src/upstream/http-upstream.ts'
import { respond, scriptedUpstream, type Exchange } from '../support/scripted-upstream.ts'

const LIMITS: AttemptLimits = { socketWaitMs: 2000, keptReplyBytes: 100, closeDelimited: 'stream', status: { rules: new Map(), inProgress: [], otherwise: 'final', proofs: [] }, afterDoubt: false }
const REQUEST = { method: 'POST', target: '/v1/charges?a=%2F..//', fields: ['Host', 'shop.example', 'Idempotency-Key', '"k1"', 'X-Twice', '1', 'x-twice', '2'], body: Buffer.from('{"amount":1}'), inform: () => undefined }

function open(t: Test, origin: string, connections = 8): Upstream {
  const upstream = openHttpUpstream({ origin, connections, connectTimeoutMs: 500 }, systemClock())
  t.teardown(() => upstream.close())
  return upstream
}

async function attemptOn(t: Test, script: (exchange: Exchange) => void, limits = LIMITS): Promise<AttemptOutcome> {
  const { origin } = await scriptedUpstream(t, script)
  return await open(t, origin).attempt(REQUEST, limits).outcome
}

async function read(body: StreamedBody): Promise<string> {
  let text = ''
  for await (const chunk of body) text += Buffer.from(chunk).toString()
  return text
}

test('a request arrives byte for byte, and the reply comes back with its fields in order', async (t) => {
  const server = await scriptedUpstream(t, ({ socket }) => respond(socket, 201, 'made', 'X-B: 1', 'x-a: 2', 'X-B: 3', 'Connection: X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5'))
  const outcome = await open(t, server.origin).attempt(REQUEST, LIMITS).outcome
  t.match(server.requests[0], /^POST \/v1\/charges\?a=%2F\.\.\/\/ HTTP\/1\.1\r\n/)
  t.match(server.requests[0], /host: shop\.example\r\n/)
  t.match(server.requests[0], /Idempotency-Key: "k1"\r\nX-Twice: 1\r\nx-twice: 2\r\n/)
  t.ok(server.requests[0]?.endsWith('\r\n\r\n{"amount":1}'))
  t.match(outcome, { kind: 'answered', reply: { kind: 'whole', reply: { status: 201, headers: ['X-B', '1', 'x-a', '2', 'X-B', '3', 'Content-Length', '4'], trailers: [] } } })
  if (outcome.kind === 'answered' && outcome.reply.kind === 'whole') t.equal(Buffer.from(outcome.reply.reply.body).toString(), 'made')
})

test('trailers are part of the reply', async (t) => {
  const outcome = await attemptOn(t, ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n'))
  t.match(outcome, { kind: 'answered', reply: { reply: { trailers: ['X-Sum', '1'] } } })
})

const LOST: readonly [string, (exchange: Exchange) => void, string][] = [
  ['a reset after the request was read', ({ socket }) => socket.resetAndDestroy(), 'connection-lost'],
  ['a clean close without an answer', ({ socket }) => socket.end(), 'connection-lost'],
  ['a reset in the middle of the head', ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-', () => socket.resetAndDestroy()), 'connection-lost'],
  ['a reset in the middle of the body', ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => socket.resetAndDestroy()), 'reply-incomplete'],
  ['a body shorter than it said', ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'), 'reply-incomplete'],
  ['a chunked body without its end', ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'), 'reply-incomplete'],
  ['something that is not HTTP', ({ socket }) => socket.end('SSH-2.0-OpenSSH\r\n'), 'connection-lost'],
  ['an unsolicited 100 and nothing after it', ({ socket }) => socket.end('HTTP/1.1 100 Continue\r\n\r\n'), 'connection-lost'],
  ['a status of 000', ({ socket }) => socket.write('HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nok'), 'connection-lost'],
  ['a status of 099', ({ socket }) => socket.write('HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok'), 'reply-incomplete'],
  ['a switch of protocols that nobody asked for', ({ socket }) => socket.write('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'), 'connection-lost'],
  ['a transfer coding that is not chunked', ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok'), 'reply-incomplete'],
  ['a content-length twice', ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk'), 'connection-lost'],
]

for (const [what, script, cause] of LOST) {
  test(`${what} is lost`, async (t) => t.match(await attemptOn(t, script), { kind: 'lost', cause, reply: null }))
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nHTTP/1.1 100 no such'

test('a 100 that nobody asked for is taken off, however it is cut into packets', async (t) => {
  for (const head of [CONTINUE, `${CONTINUE}HTTP/1.1 103 Early Hints\r\n\r\n${CONTINUE}`]) {
    const bytes = head + OK.slice(0, -1)
    for (const cut of [bytes.length, 1, 5, 12, 13, 20, head.length - 1, head.length, head.length + 4]) {
      const outcome = await attemptOn(t, ({ socket }) => {
        socket.setNoDelay(true)
        socket.write(bytes.slice(0, cut), () => setImmediate(() => socket.write(bytes.slice(cut))))
      })
      t.match(outcome, { kind: 'answered', reply: { reply: { status: 200, body: Buffer.from('HTTP/1.1 100 no suc') } } }, `cut after ${cut} bytes`)
    }
  }
})

test('a 204 is whole although it states a length', async (t) => {
  t.match(await attemptOn(t, ({ socket }) => socket.write('HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\n')), { kind: 'answered', reply: { kind: 'whole' } })
})

test('a 502 is lost with its reply, a 429 refused with its reply', async (t) => {
  t.match(await attemptOn(t, ({ socket }) => respond(socket, 502, 'bad')), { kind: 'lost', cause: 'ambiguous-status', reply: { reply: { status: 502 } } })
  t.match(await attemptOn(t, ({ socket }) => respond(socket, 429, 'slow down')), { kind: 'refused', reply: { reply: { status: 429 } } })
})

test('a refused connection was not sent', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  server.close()
  await once(server, 'close')
  t.same(await open(t, `http://127.0.0.1:${port}`).attempt(REQUEST, LIMITS).outcome, { kind: 'not_sent', cause: 'connect-refused' })
})

test('a host that no name server knows was not sent', async (t) => {
  t.same(await open(t, 'http://onceward-nowhere.invalid').attempt(REQUEST, LIMITS).outcome, { kind: 'not_sent', cause: 'dns' })
})

test('a TLS handshake that fails was not sent', async (t) => {
  const { origin } = await scriptedUpstream(t, () => undefined)
  const plain = createServer((socket) => { socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n') }).listen(0, '127.0.0.1')
  await once(plain, 'listening')
  t.teardown(() => plain.close())
  const address = plain.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  t.match(await open(t, `https://127.0.0.1:${port}`).attempt(REQUEST, LIMITS).outcome, { kind: 'not_sent', cause: 'tls' }, origin)
})

test('an attempt that finds no free socket in time was not sent, and never is', async (t) => {
  let free: () => void = () => undefined
  const server = await scriptedUpstream(t, ({ socket, number }) => {
    if (number === 1) free = () => respond(socket, 200, 'first')
    else respond(socket, 200, 'later')
  })
  const upstream = open(t, server.origin, 1)
  const first = upstream.attempt(REQUEST, LIMITS)
  t.same(await upstream.attempt(REQUEST, { ...LIMITS, socketWaitMs: 20 }).outcome, { kind: 'not_sent', cause: 'no-socket' })
  free()
  t.match(await first.outcome, { kind: 'answered' })
  t.match(await upstream.attempt(REQUEST, LIMITS).outcome, { kind: 'answered' })
  t.equal(server.requests.length, 2, 'the one that gave up was not written when a socket came free')
})

test('an attempt that we end says whether it was sent', async (t) => {
  let arrived: () => void = () => undefined
  const seen = new Promise<void>((resolve) => { arrived = resolve })
  const { origin } = await scriptedUpstream(t, () => arrived())
  const upstream = open(t, origin, 1)
  const sent = upstream.attempt(REQUEST, LIMITS)
  await seen
  const queued = upstream.attempt(REQUEST, LIMITS)
  queued.abort('shutdown')
  t.same(await queued.outcome, { kind: 'aborted', by: 'shutdown', sent: false })
  sent.abort('deadline')
  t.same(await sent.outcome, { kind: 'aborted', by: 'deadline', sent: true })
})

const STREAMING: readonly [string, string][] = [
  ['an event stream', 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5\r\n\r\ndata:'],
  ['a reply that says it is too large', `HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n${'x'.repeat(101)}`],
  ['a reply that turns out too large', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n${'x'.repeat(64)}\r\n40\r\n${'y'.repeat(64)}\r\n0\r\n\r\n`],
]

for (const [what, bytes] of STREAMING) {
  test(`${what} flows through whole and is not kept`, async (t) => {
    const outcome = await attemptOn(t, ({ socket }) => socket.write(bytes))
    if (outcome.kind !== 'answered' || outcome.reply.kind !== 'streaming') return t.fail(`streaming was expected, not ${outcome.kind}`)
    const text = await read(outcome.reply.body)
    t.equal(text.length, what === 'an event stream' ? 5 : what.includes('says') ? 101 : 128)
  })
}

test('a body that ends with its connection is kept only by declaration', async (t) => {
  const script = ({ socket }: Exchange): void => { socket.end('HTTP/1.1 200 OK\r\n\r\nall of it') }
  t.match(await attemptOn(t, script), { kind: 'answered', reply: { kind: 'streaming' } })
  t.match(await attemptOn(t, script, { ...LIMITS, closeDelimited: 'keep' }), { kind: 'answered', reply: { kind: 'whole' } })
})

test('a stream that breaks off fails its reader, it never ends cleanly', async (t) => {
  const outcome = await attemptOn(t, ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nhalf', () => socket.resetAndDestroy()))
  if (outcome.kind !== 'answered' || outcome.reply.kind !== 'streaming') return t.fail('streaming was expected')
  await t.rejects(read(outcome.reply.body), { name: 'BrokenBody' })
})

test('a reader that does not read pauses the upstream', async (t) => {
  const chunk = 'x'.repeat(1 << 20)
  let unsent = 64
  const outcome = await attemptOn(t, ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${chunk.length * unsent}\r\n\r\n`)
    const pump = (): void => {
      while (unsent > 0) {
        unsent -= 1
        if (!socket.write(chunk)) return void socket.once('drain', pump)
      }
    }
    pump()
  })
  if (outcome.kind !== 'answered' || outcome.reply.kind !== 'streaming') return t.fail('streaming was expected')
  for (let turn = 0; turn < 500; turn += 1) await new Promise((resolve) => { setImmediate(resolve) })
  t.ok(unsent > 32, `most of the 64 MB are still with the upstream: ${unsent}`)
  let bytes = 0
  for await (const part of outcome.reply.body) bytes += part.length
  t.equal(bytes, chunk.length * 64, 'and all of it comes once somebody reads')
})

test('a HEAD reply with a length and no body is whole', async (t) => {
  const { origin } = await scriptedUpstream(t, ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n'))
  t.match(await open(t, origin).attempt({ ...REQUEST, method: 'HEAD', body: Buffer.alloc(0) }, LIMITS).outcome, { kind: 'answered', reply: { kind: 'whole' } })
})

test('one socket carries one request at a time, and idles for at most a second', async (t) => {
  const server = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const upstream = open(t, server.origin)
  await Promise.all([upstream.attempt(REQUEST, LIMITS).outcome, upstream.attempt(REQUEST, LIMITS).outcome])
  t.equal(server.connections(), 2)
  await upstream.attempt(REQUEST, LIMITS).outcome
  t.equal(server.connections(), 2, 'a young socket is used again')
})
