import { test } from 'tap'
import { scene, WAYS } from '../support/passing-scene.ts'
import { dial } from '../support/wire.ts'

/* What goes past the keys goes as it is: targets, fields, methods and interim replies. */

for (const [what, route] of WAYS) {
  test(`on ${what}, targets and fields arrive byte for byte, both ways`, async (t) => {
    const { upstream, client } = await scene(t, route)
    const target = `/${route}/./a/../b//c%2e%7E;p=%C3?q=%2F..//&q=[]|\\^&x`
    client.socket.write(`GET ${target} HTTP/1.1\r\nHost: Shop.Example\r\nX-b: 1\r\nx-A: caf\u00e9\r\nX-B: 2\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n`, 'latin1')
    const server = await upstream.next()
    const seen = await server.until('\r\n\r\n')
    t.ok(seen.startsWith(`GET ${target} HTTP/1.1\r\n`), seen)
    t.match(seen, /X-b: 1\r\nx-A: caf\u00e9\r\nX-B: 2\r\nCookie: a=1\r\nCookie: b=2\r\n/)
    t.match(seen, /host: Shop\.Example\r\n/i)
    server.socket.write('HTTP/1.1 299 Odd\r\nZ-last: caf\u00e9\r\nSet-Cookie: a=1\r\na-First: 1\r\nSet-Cookie: b=2\r\nLocation: /x/../y\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok', 'latin1')
    t.match(await client.until('\r\n\r\nok'), /^HTTP\/1\.1 299 [^\r]*\r\nZ-last: caf\u00e9\r\nSet-Cookie: a=1\r\na-First: 1\r\nSet-Cookie: b=2\r\nLocation: \/x\/\.\.\/y\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n/)
  })

  test(`on ${what}, early hints arrive before the answer, and never at an HTTP/1.0 client`, async (t) => {
    const { upstream, client, head, sidecar } = await scene(t, route)
    client.socket.write(head('GET'))
    const server = await upstream.next()
    await server.until('\r\n\r\n')
    server.socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Note: caf\u00e9\r\n\r\n', 'latin1')
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\nX-Note: caf\u00e9\r\n\r\n$/)
    server.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    await client.until('\r\n\r\nok')
    const old = dial(t, sidecar.address)
    old.socket.write(head('GET').replace('HTTP/1.1', 'HTTP/1.0'))
    const second = await upstream.next()
    await second.until('\r\n\r\n')
    second.socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    t.match(await old.until('\r\n\r\nok'), /^HTTP\/1\.1 200 /)
  })

  test(`on ${what}, a client's unsafe request with a key is counted and named once`, async (t) => {
    if (['optional', 'shadowed', 'copied'].includes(route)) return t.pass('there it is looked at')
    const { upstream, client, head, sidecar } = await scene(t, route)
    for (let i = 1; i <= 2; i += 1) {
      client.socket.write(head('POST', `Idempotency-Key: k${i}`, 'Content-Length: 0'))
      const server = await upstream.next()
      await server.until(`Idempotency-Key: k${i}`)
      server.socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nn' + i)
      await client.until(`\r\n\r\nn${i}`)
    }
    t.equal(await sidecar.metric(`onceward_unguarded_keyed_requests_total{route="${route}"}`), 2)
    t.equal(sidecar.log().split('route.ignores-keys').length - 1, 1)
    t.notMatch(sidecar.log(), /k1/)
  })
}

test('every method that node reads passes, with a body or without one', async (t) => {
  const { upstream, client, sidecar } = await scene(t, 'passed')
  for (const method of ['PROPFIND', 'QUERY', 'TRACE', 'DELETE', 'GET', 'OPTIONS', 'M-SEARCH']) {
    const body = method === 'TRACE' ? '' : 'body'
    client.socket.write(`${method} /passed/x HTTP/1.1\r\nHost: a\r\nContent-Type: no media type\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    const server = await upstream.next()
    t.ok((await server.until(`\r\n\r\n${body}`)).startsWith(`${method} /passed/x HTTP/1.1\r\n`), method)
    server.socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nX-Method: ${method}\r\nContent-Length: 0\r\n\r\n`)
    await client.until(`X-Method: ${method}`)
  }
  t.equal(await sidecar.metric('http_request_outcome{class="4xx",method="other",route="passed"}'), 0)
})
