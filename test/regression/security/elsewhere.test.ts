import { test } from 'tap'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

test('nothing in a request sends it anywhere but to the configured upstream', async (t) => {
  const canary = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'secret'))
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 302, 'ok', `Location: ${canary.origin}/`))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const { host } = new URL(canary.origin)
  const targets = [`${canary.origin}/`, `http://${host}`, `HTTP://${host}/x`, `//${host}/`, `///${host}/`, `/@${host}/`, `/..//${host}/`, `/\\${host}`, `\\\\${host}\\`, `@${host}/`, `:@${host}/`, `/?url=${canary.origin}`, `/#@${host}/`, host, `/%2F${host}/`, `ftp://${host}/`]
  const fields = ['', `Host: ${host}\r\n`, `X-Forwarded-Host: ${host}\r\nForwarded: host=${host}\r\n`, `Proxy: ${canary.origin}\r\nX-Original-URL: ${canary.origin}\r\nDestination: ${canary.origin}\r\nReferer: ${canary.origin}\r\n`, `Proxy-Connection: x\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nAlt-Used: ${host}\r\n`]
  for (const [nth, target] of targets.entries()) {
    for (const method of ['POST', 'GET']) {
      for (const field of fields) {
        const named = field.startsWith('Host:') ? field : `Host: a\r\n${field}`
        const received = await rawExchange(t, sidecar.address, `${method} ${target} HTTP/1.1\r\n${named}Authorization: a\r\nIdempotency-Key: k${nth}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
        t.notMatch(received, /secret/, target)
      }
    }
  }
  for (const target of [host, 'a:443']) {
    t.notMatch(await rawExchange(t, sidecar.address, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`), /^HTTP\/1\.1 2/)
  }
  t.equal(canary.connections(), 0)
  t.ok(upstream.requests.length > 0, 'while what is no trick arrives')
})

test('a redirect is an answer: it is passed on and replayed, and not followed', async (t) => {
  const canary = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'secret'))
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 307, '', `Location: ${canary.origin}/`, 'Refresh: 0', 'Alt-Svc: h2=":1"'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  for (const key of ['k1', 'k1', null]) t.match(await sidecar.post(key), { status: 307, headers: { location: `${canary.origin}/` } })
  t.equal(canary.connections(), 0)
})
