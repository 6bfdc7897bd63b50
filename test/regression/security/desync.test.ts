import { createServer, type Socket } from 'node:net'
import { test } from 'tap'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/*
 * Response queue poisoning: what an upstream leaves on a connection behind its answer must never be taken for the
 * answer to the next request. What it says only after it has that request cannot be told from an answer: HTTP/1.1 has
 * no other way to match the two. That is why nothing that a client sends may ever become two requests (smuggling-out).
 */

const POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'
const FINE = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine'

/** What is written, piece by piece; each piece has left before the next one is written, and before anybody asks again. */
const LEFTOVERS: readonly (readonly [what: string, pieces: readonly string[]])[] = [
  ['a second answer right behind the first', [FINE + POISON]],
  ['a second answer a little later', [FINE, POISON]],
  ['the head of a second answer', [FINE, 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n']],
  ['the first byte of a second answer', [FINE, 'H']],
  ['bytes behind its length', [`${FINE}\r\n\r\npoison`]],
  ['an interim answer behind it', [FINE, `HTTP/1.1 100 Continue\r\n\r\n${POISON}`]],
  ['chunks behind the last one', [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n6\r\npoison\r\n0\r\n\r\n${POISON}`]],
  ['a body behind a 204', [`HTTP/1.1 204 No Content\r\n\r\n${POISON}`]],
  ['a body behind a 304', [`HTTP/1.1 304 Not Modified\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`]],
]

for (const [what, pieces] of LEFTOVERS) {
  test(`after ${what} the next client is given its own answer`, async (t) => {
    let left: Promise<void> = Promise.resolve()
    const upstream = await scriptedUpstream(t, ({ socket, request }) => {
      if (request.includes('/leave')) left = leave(socket, pieces)
      else respond(socket, 200, /who: (\w+)/i.exec(request)?.[1] ?? 'nobody')
    })
    const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { upstream_connections: 1 }' })
    for (const key of ['k', null]) {
      for (let round = 0; round < 3; round += 1) {
        // This client, undici, does not take a 304 that states a length.
        const first = await sidecar.post(key === null ? null : `${key}-leave-${round}`, { path: '/leave' }).catch(() => null)
        t.notMatch(first?.body, /poison/)
        await left
        const who = `client${round}`
        const next = await sidecar.post(key === null ? null : `${key}-next-${round}`, { headers: ['Authorization', 'Bearer two', 'Who', who] })
        t.match(next, { status: 200, body: who }, key === null ? 'passing' : 'guarded')
      }
    }
  })
}

async function leave(socket: Socket, pieces: readonly string[]): Promise<void> {
  socket.setNoDelay(true) // else a second piece waits for the next request, whose segment acknowledges the first
  for (const piece of pieces) await new Promise<void>((resolve) => { socket.write(piece, () => resolve()) })
}

test('an answer that comes before any request is given to nobody twice', async (t) => {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => undefined).write(POISON)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => { server.once('listening', resolve) })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const sidecar = await startForTest(t, `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`, { yaml: 'limits: { upstream_connections: 1 }\ndefaults: { retry: { deadline: 300ms, linger: 0s } }' })
  const answers = [await sidecar.post('k1'), await sidecar.post('k2'), await sidecar.post('k3')]
  const poisoned = answers.filter(({ body }) => body === 'poison')
  t.ok(poisoned.length <= connections, 'no answer is given on a connection that has had one')
})
