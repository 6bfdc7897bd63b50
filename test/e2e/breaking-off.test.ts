import { test } from 'tap'
import { ROUTES, scene, sooner, WAYS } from '../support/passing-scene.ts'
import { startForTest } from '../support/start-sidecar.ts'
import { dial } from '../support/wire.ts'

/* Who ends a request past the keys before its time, and what the other side gets to know of it. */

for (const [what, route] of WAYS) {
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
}

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
