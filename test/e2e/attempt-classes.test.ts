import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type Test } from 'tap'
import { send, startForTest, until, type Received, type Running } from '../support/start-sidecar.ts'

/*
 * DESIGN 4.3 on real sockets, row by row: what the upstream does, how often it is asked, what the client is told, and what
 * has become of the key. Each row once with POST, which must not run twice, and once with GET, which may.
 */

const ATTEMPTS = 3
const YAML = `
limits: { connect_timeout: 2s, socket_wait: 2s }
budgets: { default: { min_per_second: 1000 } }
routes:
  - name: all
    match: { path: /* }
    retry: { attempts: ${ATTEMPTS}, base: 2ms, deadline: 1500ms, linger: 300ms }
    status: { lost: [599], refused: [598], refused_by: [x-envoy-overloaded] }
`

const IMPATIENT = YAML.replace('connect_timeout: 2s, socket_wait: 2s', 'connect_timeout: 250ms, socket_wait: 250ms').replace('deadline: 1500ms', 'deadline: 5s')

/** What an upstream does with one request; it is told what has come of it so far. */
type Play = (socket: Socket, received: () => string) => void

interface Row {
  readonly what: string
  readonly play: Play
  /** when the upstream plays: after the first byte, the first packet, or the whole request */
  readonly after?: 'connection' | 'bytes' | 'request'
  readonly body?: string
  readonly post: readonly [hits: number, answer: string, key: string]
  readonly get: readonly [hits: number, answer: string]
}

const status = (code: number, ...fields: readonly string[]): Play => (socket) => socket.write(`HTTP/1.1 ${code} X\r\n${fields.map((field) => `${field}\r\n`).join('')}Content-Length: 2\r\n\r\nno`)
const then = (bytes: string, end: (socket: Socket) => void): Play => (socket) => { socket.write(bytes, () => setImmediate(() => end(socket))) }
const reset = (socket: Socket): void => { socket.resetAndDestroy() }
const finish = (socket: Socket): void => { socket.end() }
const LOST = { post: [1, '504 outcome-unknown', 'doubt'], get: [ATTEMPTS, '504 outcome-unknown'] } as const
const passedOn = (code: number, hits: number, key: string, getHits: number): Pick<Row, 'post' | 'get'> => ({ post: [hits, `${code}`, key], get: [getHits, `${code}`] })

const ROWS: readonly Row[] = [
  { what: 'RST after the first bytes of the request', after: 'bytes', body: 'x'.repeat(400_000), play: reset, ...LOST },
  { what: 'RST after the whole request', play: reset, ...LOST },
  { what: 'RST within the status line', play: then('HTTP/1.', reset), ...LOST },
  { what: 'RST within the header section', play: then('HTTP/1.1 200 OK\r\nContent-Le', reset), ...LOST },
  { what: 'RST after the header section', play: then('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', reset), ...LOST },
  { what: 'RST within the body', play: then('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', reset), ...LOST },
  { what: 'RST before the last chunk', play: then('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n', reset), ...LOST },
  { what: 'half-close after the request', play: finish, ...LOST },
  { what: 'half-close within the body', play: then('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', finish), ...LOST },
  { what: 'content-length says more than comes', play: then('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nab', finish), ...LOST },
  { what: 'content-length twice', play: then('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab', () => undefined), ...LOST },
  { what: 'not HTTP', play: then('SSH-2.0-x\r\n', finish), ...LOST },
  { what: 'silence: headers out of time', play: () => undefined, post: [1, '504 still-running', 'doubt'], get: [1, '504 still-running'] },
  { what: 'body out of time', play: then('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', () => undefined), post: [1, '504 still-running', 'doubt'], get: [1, '504 still-running'] },
  { what: 'body trickles for ever', play: trickle, post: [1, '504 still-running', 'doubt'], get: [1, '504 still-running'] },
  ...[408, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530, 599].map((code) => ({ what: `${code}`, play: status(code), ...passedOn(code, 1, 'doubt', ATTEMPTS) })),
  { what: '503 with Retry-After', play: status(503, 'Retry-After: 0'), ...passedOn(503, ATTEMPTS, 'free', ATTEMPTS) },
  { what: '503 with a Retry-After past the deadline', play: status(503, 'Retry-After: 60'), ...passedOn(503, 1, 'free', 1) },
  { what: '503 with a date that has passed', play: status(503, 'Retry-After: Thu, 01 Jan 1970 00:00:00 GMT'), ...passedOn(503, ATTEMPTS, 'free', ATTEMPTS) },
  { what: '503 with x-envoy-overloaded', play: status(503, 'x-envoy-overloaded: true'), ...passedOn(503, ATTEMPTS, 'free', ATTEMPTS) },
  ...[425, 429, 598].map((code) => ({ what: `${code}`, play: status(code), ...passedOn(code, ATTEMPTS, 'free', ATTEMPTS) })),
  ...[401, 403, 407].map((code) => ({ what: `${code}`, play: status(code), ...passedOn(code, 1, 'free', 1) })),
  ...[200, 404, 409, 500, 501].map((code) => ({ what: `${code}`, play: status(code), ...passedOn(code, 1, 'done', 1) })),
]

function trickle(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  const timer = setInterval(() => { socket.write('1\r\nx\r\n') }, 20)
  socket.on('close', () => clearInterval(timer))
}

/** An upstream that plays what it is told to, and counts the requests that reached it. */
async function playing(t: Test): Promise<{ readonly origin: string, hits: number, play: Play, after: Row['after'] }> {
  const state = { origin: '', hits: 0, play: status(200), after: 'request' as Row['after'] }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let received = ''
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
    socket.on('data', (chunk) => {
      const first = received === ''
      received += chunk.toString('latin1')
      if (first) state.hits += 1
      if (state.after === 'bytes' ? !first : !isWhole(received)) return
      received = ''
      state.play(socket, () => received)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return Object.assign(state, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

function isWhole(received: string): boolean {
  const head = received.indexOf('\r\n\r\n')
  return head !== -1 && received.length >= head + 4 + Number(/^content-length: (\d+)/im.exec(received)?.[1] ?? 0)
}

function told({ status: code, problem }: Received): string {
  return problem === null ? `${code}` : `${code} ${problem}`
}

/** What has become of a key: the next request with it runs, is replayed, or is told that nobody knows. */
async function keyState(sidecar: Running, key: string, method: string, body: string): Promise<string> {
  const received = await until(() => send(sidecar.address, key, { method, body }), ({ problem }) => problem !== 'in-flight')
  if (received.problem === 'outcome-unknown') return 'doubt'
  return received.headers['idempotent-replayed'] === 'true' ? 'done' : 'free'
}

test('what an attempt proves, on real sockets', async (t) => {
  const upstream = await playing(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml: YAML })
  const lines: string[] = []
  for (const [i, row] of ROWS.entries()) {
    const seen: string[] = []
    for (const method of ['POST', 'GET']) {
      const [key, body] = [`${method}-${i}`, row.body ?? '{}']
      Object.assign(upstream, { hits: 0, play: row.play, after: method === 'GET' ? 'request' : row.after ?? 'request' })
      const answer = told(await send(sidecar.address, key, { method, body }))
      const { hits } = upstream
      Object.assign(upstream, { play: status(200), after: 'request' })
      if (method === 'POST') {
        const state = await keyState(sidecar, key, method, body)
        t.strictSame([hits, answer, state], row.post, `POST: ${row.what}`)
        seen.push(String(hits), answer, state)
      } else {
        t.strictSame([hits, answer], row.get, `GET: ${row.what}`)
        seen.push(String(hits), answer)
      }
    }
    lines.push(line(row.what, seen))
  }
  t.comment(`\n${[line('the upstream does', ['hits', 'POST is told', 'the key is', 'hits', 'GET is told']), ...lines].join('\n')}`)
})

function line(what: string, [hits = '', answer = '', state = '', getHits = '', getAnswer = '']: readonly string[]): string {
  return `${what.padEnd(44)}${hits.padStart(5)}  ${answer.padEnd(22)}${state.padEnd(12)}${getHits.padStart(5)}  ${getAnswer}`
}

/** Rows that need an upstream of their own, because no request ever gets through to it. */
const UNREACHABLE: readonly [string, (t: Test) => Promise<{ readonly origin: string, connections(): number }>, number | null, RegExp, number][] = [
  ['a name that nobody knows', () => Promise.resolve({ origin: 'http://onceward-nowhere.invalid', connections: () => 0 }), 0, /error=dns_error/, 502],
  ['a port where nobody listens', () => Promise.resolve({ origin: 'http://127.0.0.1:1', connections: () => 0 }), 0, /error=connection_refused/, 502],
  ['a TLS alert', (t) => bare(t, 'https', (socket) => socket.once('data', () => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 40])))), ATTEMPTS, /error=tls_protocol_error/, 502],
  ['no TLS where it should be', (t) => bare(t, 'https', (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 X\r\n\r\n'))), ATTEMPTS, /error=tls_protocol_error/, 502],
  ['a TLS handshake that hangs', (t) => bare(t, 'https', () => undefined), null, /error=connection_(timeout|limit_reached)/, 0],
]

async function bare(t: Test, scheme: string, play: (socket: Socket) => void): Promise<{ readonly origin: string, connections(): number }> {
  const sockets = new Set<Socket>()
  let opened = 0
  const server = createServer((socket) => {
    opened += 1
    sockets.add(socket.on('error', () => undefined))
    play(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { origin: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => opened }
}

for (const [what, open, connections, proxyStatus, code] of UNREACHABLE) {
  test(`${what}: nothing was sent, it is tried ${ATTEMPTS} times, and the key is free`, async (t) => {
    const upstream = await open(t)
    const sidecar = await startForTest(t, upstream.origin, { yaml: IMPATIENT })
    const received = await sidecar.post('k1')
    t.equal(received.problem, 'upstream-unreachable')
    t.match(received.headers['proxy-status'], proxyStatus)
    if (code !== 0) t.equal(received.status, code)
    if (connections !== null) t.equal(upstream.connections(), connections)
    t.equal((await sidecar.post('k1')).problem, 'upstream-unreachable', 'no doubt the second time')
    t.equal(await sidecar.metric('retry_attempt_total{attempt="1",route="all"}') > 0, true)
  })
}

test('no free connection in time: nothing was sent, and it is tried again', async (t) => {
  const upstream = await playing(t)
  upstream.play = () => undefined
  const sidecar = await startForTest(t, upstream.origin, { yaml: IMPATIENT.replace('limits: {', 'limits: { upstream_connections: 1,') })
  const holding = sidecar.post('k1')
  await until(() => sidecar.post('k2'), () => upstream.hits === 1)
  t.match(await sidecar.post('k3'), { status: 503, problem: 'upstream-unreachable', headers: { 'proxy-status': /connection_limit_reached; details="upstream-unreachable; no/ } })
  t.equal(upstream.hits, 1)
  await holding
})
