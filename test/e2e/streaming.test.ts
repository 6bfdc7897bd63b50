import { test } from 'tap'
import { atRest, scene, sooner, WAYS } from '../support/passing-scene.ts'

/* Bodies of any size flow both ways, as fast as the slower side, the same by every way past the keys. */

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
    server.socket.write('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n')
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 204 /)
    client.socket.write(head('GET'))
    const second = await upstream.next()
    await second.until('GET ')
    second.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain')
    await client.until('again')
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
}
