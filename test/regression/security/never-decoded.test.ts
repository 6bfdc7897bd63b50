import { gzipSync } from 'node:zlib'
import { test } from 'tap'
import { request } from 'undici'
import { serverBehind } from '../../support/server-behind.ts'
import { startForTest } from '../../support/start-sidecar.ts'

/** 64 MiB of nothing in 64 KiB: whoever decodes it holds a thousand times what was sent. */
const BOMB = gzipSync(Buffer.alloc(64 << 20))

for (const [way, key] of [['guarded', 'k1'], ['passing', null]] as const) {
  test(`a compressed bomb passes a ${way} request and its reply as the bytes that it is`, async (t) => {
    const upstream = await serverBehind(t, (response) => void response.writeHead(200, { 'content-encoding': 'gzip, gzip, br, deflate', 'content-length': BOMB.length }).end(BOMB))
    // A body that were decoded would be above both limits.
    const sidecar = await startForTest(t, upstream.origin, { yaml: 'limits: { request_body: 1MiB, kept_reply: 1MiB }' })
    for (let i = 0; i < 2; i += 1) {
      const reply = await request(`${sidecar.address}/v1`, { method: 'POST', headers: { 'authorization': 'a', 'content-encoding': 'gzip', ...(key === null ? {} : { 'idempotency-key': key }) }, body: BOMB })
      t.equal(reply.statusCode, 200)
      t.equal(reply.headers['content-encoding'], 'gzip, gzip, br, deflate')
      t.ok(Buffer.from(await reply.body.arrayBuffer()).equals(BOMB))
      if (key !== null) t.equal(reply.headers['idempotent-replayed'], i === 0 ? undefined : 'true')
    }
    t.ok(upstream.requests.every(({ body }) => body.equals(BOMB)))
    t.equal(upstream.requests.length, key === null ? 2 : 1)
  })
}
