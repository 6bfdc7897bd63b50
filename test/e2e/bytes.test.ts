import { test } from 'tap'
import { request } from 'undici'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, i) => i))

/** Below and above the size up to which a body leaves as one string with its head. */
for (const [what, copies] of [['a small', 1], ['a large', 400]] as const) {
  test(`${what} body of every byte value arrives as it left, both ways, live and replayed`, async (t) => {
    const body = Buffer.concat(Array.from({ length: copies }, () => EVERY_BYTE))
    const upstream = await scriptedUpstream(t, ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nX-Latin: caf\u00e9\r\nContent-Length: ${body.length}\r\n\r\n`, 'latin1')
      socket.write(body)
    })
    const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
    // fresh, replayed by the store, replayed from memory
    for (const replayed of [undefined, 'true', 'true']) {
      const reply = await request(`${sidecar.address}/x`, { method: 'POST', headers: { authorization: 'a', 'idempotency-key': 'k1' }, body })
      t.ok(Buffer.from(await reply.body.arrayBuffer()).equals(body))
      t.equal(reply.headers['idempotent-replayed'], replayed)
      t.equal(reply.headers['content-length'], String(body.length))
      t.equal(reply.headers['x-latin'], 'caf\u00e9')
    }
    t.equal(upstream.requests.length, 1)
    t.ok(Buffer.from(upstream.requests[0]?.slice(-body.length) ?? '', 'latin1').equals(body))
  })
}

test('the marks of a replay are ours alone: an upstream cannot set them', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nIdempotent-Replayed: true\r\nIdempotency-TTL: 1\r\nContent-Length: 2\r\n\r\nok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const first = await sidecar.post('k1')
  t.equal(first.headers['idempotent-replayed'], undefined)
  t.not(first.headers['idempotency-ttl'], '1')
  t.equal((await sidecar.post('k1')).headers['idempotent-replayed'], 'true')
})

test('a second Connection line is read like the first', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const { hostname, port } = new URL(sidecar.address)
  const { connect } = await import('node:net')
  const ask = (fields: string): Promise<string> => new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.once('data', (chunk) => {
      resolve(chunk.toString('latin1'))
      socket.destroy()
    })
    socket.write(`POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\n${fields}Content-Length: 0\r\n\r\n`)
  })
  t.match(await ask('Connection: keep-alive\r\nConnection: Idempotency-Key\r\nIdempotency-Key: k1\r\n'), /^HTTP\/1\.1 400 .*key-invalid/s)
  t.equal(upstream.requests.length, 0)
  t.match(await ask('Connection: keep-alive\r\nConnection: X-Hop\r\nX-Hop: 1\r\nIdempotency-Key: k1\r\n'), /^HTTP\/1\.1 200 /)
  t.notMatch(upstream.requests[0], /x-hop/i)
})
