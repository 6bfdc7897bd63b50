import { test } from 'tap'
import { mistakesIn } from '../../support/load-text.ts'
import { rawExchange } from '../../support/raw-client.ts'
import { respond, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { startForTest } from '../../support/start-sidecar.ts'

test('the listener for operators binds to a loopback address, or the start is refused', async (t) => {
  for (const address of ['0.0.0.0:9901', '[::]:9901', '192.168.0.1:9901', 'admin.example:9901', '127.0.0.1.example:9901', '[::ffff:10.0.0.1]:9901']) {
    t.equal((await mistakesIn(`admin: { listen: "${address}" }\n`)).length, 1, address)
  }
})

test('nothing that can be asked of it changes anything', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => socket.resetAndDestroy())
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  await sidecar.post('k1')
  const paths = ['/', '/metrics', '/healthz', '/readyz', '/keys', '/admin', '/reload', '/quitquitquit', '/debug/pprof', '/shutdown', '/-/reload', '/metrics/../keys', '/%6detrics']
  for (const path of paths) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      t.match(await rawExchange(t, sidecar.adminAddress, `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`), /^HTTP\/1\.1 4(?:00|04|05) /, `${method} ${path}`)
    }
    await rawExchange(t, sidecar.adminAddress, `GET ${path}?reload=1&delete=k1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  }
  t.match(await sidecar.post('k1'), { problem: 'outcome-unknown' }, 'the doubt is where it was')
  t.match(await sidecar.post('k2', { path: '/x' }), { status: 504 }, 'and the process works')
})

test('a page that a browser loaded from elsewhere cannot read it under a name of its own', async (t) => {
  const upstream = await scriptedUpstream(t, ({ socket }) => respond(socket, 200, 'ok'))
  const sidecar = await startForTest(t, upstream.origin, { yaml: '{}' })
  const port = new URL(sidecar.adminAddress).port
  const ask = (lines: string): Promise<string> => rawExchange(t, sidecar.adminAddress, `GET /metrics HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)
  for (const host of ['localhost', `localhost:${port}`, `LOCALHOST:${port}`, '127.0.0.1', `127.0.0.1:${port}`, '127.9.9.9:1', `[::1]:${port}`, '[::1]']) t.match(await ask(`Host: ${host}\r\n`), /^HTTP\/1\.1 200 /, host)
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '127.evil.example', 'localhost@evil.example', '', `169.254.169.254`, '0.0.0.0', '2130706433', '[::ffff:127.0.0.1]']) {
    const received = await ask(`Host: ${host}\r\n`)
    t.match(received, /^HTTP\/1\.1 4(?:00|21) /, host)
    t.notMatch(received, /idempotency_key_total/)
  }
  const crossSite = await ask(`Host: localhost\r\nOrigin: http://evil.example\r\n`)
  t.notMatch(crossSite, /access-control-allow-origin/i)
})
