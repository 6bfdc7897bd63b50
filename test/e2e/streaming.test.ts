import { test, type Test } from 'tap'
import { startForTest, type Running } from '../support/start-sidecar.ts'
import { dial, standIn, type StandIn, type Wire } from '../support/wire.ts'

/*
 * What streams past the keys, the same by both ways: through the proxy plugin and through our own connections. The
 * tests hold both ends of the wire and let one step follow the other, so that nothing is a matter of time.
 */

const ROUTES = `
routes:
  - { name: passed, match: { path: /passed/* }, pass: true }
  - { name: optional, match: { path: /optional/* }, idempotency: { key: optional } }
  - { name: retried, match: { path: /retried/* }, idempotency: { key: ignored }, retry: { deadline: 10m } }
`

const WAYS = [['a pass route', 'passed'], ['a guarded route without a key', 'optional'], ['a route with retry and without keys', 'retried']] as const

interface Scene {
  readonly sidecar: Running
  readonly upstream: StandIn
  readonly client: Wire
  /** the head of a request for this way's route */
  readonly head: (method: string, ...fields: readonly string[]) => string
  readonly outcome: (kind: string, method: string) => Promise<number>
}

async function scene(t: Test, route: string, yaml = ROUTES, graceMs = 500): Promise<Scene> {
  const upstream = await standIn(t)
  const sidecar = await startForTest(t, upstream.origin, { yaml, graceMs })
  return {
    sidecar, upstream, client: dial(t, sidecar.address),
    head: (method, ...fields) => [`${method} /${route}/x HTTP/1.1`, 'Host: shop.example', ...fields, '', ''].join('\r\n'),
    outcome: (kind, method) => sidecar.metric(`http_request_outcome{class="${kind}",method="${method}",route="${route}"}`),
  }
}

/** Asks again until it is so; what is asked about happens in this process, and 500 times are ten seconds. */
async function sooner(t: Test, what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    if (await ask()) return void t.pass(what)
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  t.fail(what)
}

/** Resolves with a number that has not changed for ten looks, one after the other. */
async function atRest(look: () => number): Promise<number> {
  for (let same = 0, last = -1; ; ) {
    const now = look()
    same = now === last ? same + 1 : 0
    if (same === 10) return now
    last = now
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

for (const [what, route] of WAYS) {
  test(`on ${what}, each event of a stream arrives before the next is sent`, async (t) => {
    const { upstream, client, head, outcome } = await scene(t, route)
    client.socket.write(head('GET'))
    const server = await upstream.next()
    await server.until('\r\n\r\n')
    server.socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream\r\n/, 'the head leaves before any event')
    for (const event of ['one', 'two', 'three']) {
      server.socket.write(`data: ${event}\n\n`)
      await client.until(`data: ${event}\n\n`)
    }
    server.socket.end()
    await client.until('0\r\n\r\n')
    await sooner(t, 'counted once', async () => await outcome('2xx', 'GET') === 1)
  })

  test(`on ${what}, an upload arrives piece by piece with the length that it declared`, async (t) => {
    const { upstream, client, head } = await scene(t, route)
    client.socket.write(head('PUT', 'Content-Length: 9') + 'one')
    const server = await upstream.next()
    t.match(await server.until('one'), /\r\ncontent-length: 9\r\n/i)
    t.notMatch(server.received(), /transfer-encoding/i)
    client.socket.write('two')
    await server.until('onetwo')
    client.socket.write('six')
    await server.until('onetwosix')
    server.socket.write('HTTP/1.1 204 No Content\r\n\r\n')
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 204 /)
    client.socket.write(head('GET'))
    await server.until('GET ')
    server.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain')
    await client.until('again')
    t.equal(upstream.opened(), 1, 'both connections are used again')
  })

  test(`on ${what}, an upload of unknown length arrives in chunks`, async (t) => {
    const { upstream, client, head } = await scene(t, route)
    client.socket.write(head('POST', 'Transfer-Encoding: chunked') + '3\r\none\r\n')
    const server = await upstream.next()
    t.match(await server.until('one'), /\r\ntransfer-encoding: chunked\r\n/i)
    client.socket.write('3\r\ntwo\r\n0\r\n\r\n')
    await server.until('0\r\n\r\n')
    server.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    await client.until('\r\n\r\nok')
  })

  test(`on ${what}, an upstream that does not read stops the client`, async (t) => {
    const { upstream, client, head } = await scene(t, route)
    const megabytes = 200
    client.socket.write(head('PUT', `Content-Length: ${megabytes << 20}`))
    client.socket.write('first')
    const server = await upstream.next()
    await server.until('first')
    server.socket.pause()
    const piece = Buffer.alloc(1 << 20)
    let written = 0
    const pump = (): void => {
      while (written < megabytes - 1) {
        written += 1
        if (!client.socket.write(piece)) return void client.socket.once('drain', pump)
      }
      client.socket.write(piece.subarray('first'.length))
    }
    pump()
    t.ok(await atRest(() => written) < 50, `most of the ${megabytes} MB are still with the client: ${megabytes - written}`)
    server.socket.resume()
    await sooner(t, 'and all of it comes once the upstream reads', () => server.bytes() > megabytes << 20)
    server.socket.write('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n')
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 201 /)
  })

  test(`on ${what}, a client that does not read stops the upstream`, async (t) => {
    const { upstream, client, head, outcome } = await scene(t, route)
    const megabytes = 200
    client.socket.write(head('GET'))
    const server = await upstream.next()
    await server.until('\r\n\r\n')
    server.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${megabytes << 20}\r\n\r\n`)
    await client.until('\r\n\r\n')
    client.socket.pause()
    const piece = Buffer.alloc(1 << 20)
    let written = 0
    const pump = (): void => {
      while (written < megabytes) {
        written += 1
        if (!server.socket.write(piece)) return void server.socket.once('drain', pump)
      }
    }
    pump()
    t.ok(await atRest(() => written) < 50, `most of the ${megabytes} MB are still with the upstream: ${megabytes - written}`)
    client.socket.resume()
    await sooner(t, 'and all of it comes once the client reads', () => client.bytes() > megabytes << 20)
    await sooner(t, 'counted once', async () => await outcome('2xx', 'GET') === 1)
  })

  test(`on ${what}, an answer that comes before the upload is over reaches a client that is still sending`, async (t) => {
    const { upstream, client, head, outcome } = await scene(t, route)
    client.socket.write(head('PUT', 'Content-Length: 100000000') + 'a first piece')
    const server = await upstream.next()
    await server.until('a first piece')
    server.socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much')
    for (let i = 0; i < 64; i += 1) client.socket.write(Buffer.alloc(64 << 10))
    t.match(await client.until('too much'), /^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/s)
    t.equal(await client.closed(), 'end', 'closed without a reset, so that the answer can be read')
    await server.closed()
    t.ok(server.bytes() < 100_000_000, 'and what is left of the upload goes nowhere')
    client.socket.end()
    await sooner(t, 'counted once', async () => await outcome('4xx', 'PUT') === 1)
  })

  for (const method of ['GET', 'POST']) {
    test(`on ${what}, a client that leaves a ${method} takes the request with it`, async (t) => {
      const { upstream, client, head, outcome, sidecar } = await scene(t, route)
      client.socket.write(method === 'GET' ? head('GET') : head('POST', 'Content-Length: 5') + 'whole')
      const server = await upstream.next()
      await server.until(method === 'GET' ? '\r\n\r\n' : 'whole')
      client.socket.destroy()
      await server.closed()
      await sooner(t, 'counted once, as a 4xx', async () => await outcome('4xx', method) === 1)
      t.notMatch(sidecar.log(), /"level":50/)
    })
  }

  test(`on ${what}, a client that leaves in mid-reply ends the upstream's work`, async (t) => {
    const { upstream, client, head, outcome } = await scene(t, route)
    client.socket.write(head('GET'))
    const server = await upstream.next()
    await server.until('\r\n\r\n')
    server.socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n')
    await client.until('data: one')
    client.socket.resetAndDestroy()
    await server.closed()
    await sooner(t, 'counted once, by what it got', async () => await outcome('2xx', 'GET') === 1)
  })

  test(`on ${what}, a client that leaves in mid-upload leaves no request that looks whole`, async (t) => {
    const { upstream, client, head, outcome } = await scene(t, route)
    client.socket.write(head('POST', 'Transfer-Encoding: chunked') + '4\r\nhalf\r\n')
    const server = await upstream.next()
    await server.until('half')
    client.socket.destroy()
    await server.closed()
    t.notMatch(server.received(), /\r\n0\r\n/)
    await sooner(t, 'counted once, as a 4xx', async () => await outcome('4xx', 'POST') === 1)
  })

  test(`on ${what}, an upstream that dies in mid-reply is no clean end`, async (t) => {
    for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
      const { upstream, client, head, outcome } = await scene(t, route)
      client.socket.write(head('GET'))
      const server = await upstream.next()
      await server.until('\r\n\r\n')
      server.socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n4\r\nhalf\r\n`)
      await client.until('half')
      server.socket.resetAndDestroy()
      await client.closed()
      t.notMatch(client.received(), /\r\n0\r\n\r\n$/)
      await sooner(t, 'counted once, as a 5xx', async () => await outcome('5xx', 'GET') === 1)
      t.equal(await outcome('2xx', 'GET'), 0)
    }
  })

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
    if (route === 'optional') return t.pass('there it is guarded')
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

test('an upstream that does not answer in time is 504 where the route says how long, and nowhere else', async (t) => {
  const { upstream, client, head, outcome, sidecar } = await scene(t, 'retried', ROUTES.replace('10m', '50ms'))
  const patient = dial(t, sidecar.address)
  patient.socket.write('POST /optional/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
  const slow = await upstream.next()
  const uploading = dial(t, sidecar.address)
  uploading.socket.write(head('POST', 'Content-Length: 4') + 'bo')
  await (await upstream.next()).until('bo')
  client.socket.write(head('GET'))
  const server = await upstream.next()
  t.match(await client.until('upstream-timeout"'), /^HTTP\/1\.1 504 .*\r\nProxy-Status: onceward; error=http_response_timeout; details="upstream-timeout"\r\n/s)
  await server.closed()
  t.equal(await outcome('timeout', 'GET'), 1)
  t.equal(uploading.received(), '', 'the time counts from the end of the upload')
  uploading.socket.write('dy')
  await uploading.until('upstream-timeout"')
  t.equal(patient.received(), '')
  slow.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate')
  await patient.until('late')
})

test('what fails before an answer says so, once', async (t) => {
  const { upstream, client, head, outcome } = await scene(t, 'optional')
  client.socket.write(head('POST', 'Content-Length: 2') + 'ok')
  const server = await upstream.next()
  await server.until('ok')
  server.socket.resetAndDestroy()
  t.match(await client.until('upstream-failed"'), /^HTTP\/1\.1 502 .*\r\nProxy-Status: onceward; error=connection_terminated; details="upstream-failed"\r\n/s)
  t.equal(await outcome('5xx', 'POST'), 1)
  const nobody = await startForTest(t, 'http://127.0.0.1:1', { yaml: ROUTES })
  for (const path of ['/passed/x', '/optional/x', '/retried/x']) {
    t.match(await nobody.post(null, { path }), { status: 502, problem: 'upstream-unreachable', headers: { 'proxy-status': 'onceward; error=destination_unavailable; details="upstream-unreachable"' } })
  }
})

test('a drain lets an answer under way finish, and closes the rest', async (t) => {
  const { upstream, client, head, sidecar } = await scene(t, 'passed', ROUTES, 30_000)
  const idle = dial(t, sidecar.address)
  idle.socket.write(head('GET'))
  const first = await upstream.next()
  await first.until('\r\n\r\n')
  first.socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
  await idle.until('\r\n\r\nok')
  client.socket.write(head('GET'))
  const server = await upstream.next()
  await server.until('\r\n\r\n')
  server.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
  await client.until('half')
  const stopped = sidecar.stop()
  await idle.closed()
  server.socket.write('full')
  await client.until('halffull')
  await client.closed()
  await stopped
})
