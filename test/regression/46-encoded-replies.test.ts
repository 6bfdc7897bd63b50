import { gunzipSync, gzipSync } from 'node:zlib'
import { test } from 'tap'
import { request } from 'undici'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { startForTest } from '../support/start-sidecar.ts'

const ENCODED = gzipSync('{"charged":true}')

test('an encoded reply is replayed as it was, and says so to a caller that asked for another encoding', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\nContent-Length: ${ENCODED.length}\r\n\r\n`)
    socket.write(ENCODED)
  })
  const sidecar = await startForTest(t, upstream.origin, { yaml: 'routes: [{ name: strict, match: { path: /strict }, idempotency: { fingerprint: { headers: [accept-encoding] } } }]' })
  const ask = async (path: string, acceptEncoding: string) => {
    const reply = await request(`${sidecar.address}${path}`, { method: 'POST', headers: { 'authorization': 'a', 'idempotency-key': path, 'accept-encoding': acceptEncoding } })
    return { status: reply.statusCode, headers: reply.headers, body: Buffer.from(await reply.body.arrayBuffer()) }
  }
  for (const acceptEncoding of ['gzip', 'identity', 'br, identity;q=0.5']) {
    const { status, headers, body } = await ask('/any', acceptEncoding)
    t.match({ status, headers }, { status: 200, headers: { 'content-encoding': 'gzip', 'vary': 'Accept-Encoding', 'content-length': String(ENCODED.length) } })
    t.equal(gunzipSync(body).toString(), '{"charged":true}')
  }
  t.equal((await ask('/strict', 'gzip')).status, 200)
  t.equal((await ask('/strict', 'identity')).status, 422, 'a route that cares makes it part of the request')
  t.equal(upstream.requests.length, 2)
})
