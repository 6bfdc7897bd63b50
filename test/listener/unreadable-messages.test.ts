import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test, type Test } from 'tap'
import { problem } from '../../src/core/problem.ts'
import { answerClientError } from '../../src/listener/client-error.ts'

const HASTE: ServerOptions = { connectionsCheckingInterval: 20, headersTimeout: 200, requestTimeout: 400 }

/** A server that keeps its answers to itself until it is told; errors that the test names come from node as they do. */
async function withServer(t: Test, onRequest: (request: IncomingMessage, response: ServerResponse) => void, limits: ServerOptions = {}): Promise<(bytes: string, afterwards?: string) => Promise<string>> {
  const current = new Map<object, ServerResponse>()
  const server = createServer(limits, (request, response) => {
    current.set(request.socket, response)
    response.on('close', () => current.delete(request.socket))
    onRequest(request, response)
  })
  server.on('clientError', (error: Error & { readonly code?: string }, socket: Socket) => {
    const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? problem('request-timeout', 'the head of the request was not complete in time') : null
    answerClientError(error, socket, current.get(socket) ?? null, late, { proxy: 'onceward/charges', cors: [] })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return async (bytes, afterwards) => {
    const socket = connect(port, '127.0.0.1')
    let back = ''
    if (afterwards !== undefined) socket.once('data', () => socket.write(afterwards, 'latin1'))
    socket.on('data', (chunk) => { back += chunk.toString('latin1') })
    socket.on('error', () => undefined)
    socket.write(bytes, 'latin1')
    await once(socket, 'close')
    return back
  }
}

test('a header section that does not come in time is answered 408, and the connection ends', async (t) => {
  const ask = await withServer(t, () => t.fail('no request arrived'), HASTE)
  t.match(await ask('GET / HTTP/1.1\r\nHost: a\r\nX-A: '), /^HTTP\/1\.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application\/problem\+json\r\n[^]*"type":"urn:onceward:problem:request-timeout"/)
})

test('a body that does not come in time is answered 408 if nothing was answered yet', async (t) => {
  const ask = await withServer(t, (request) => request.resume(), HASTE)
  t.match(await ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx'), /^HTTP\/1\.1 408 /)
})

test('what cannot be read behind a request that still runs is not answered in its place', async (t) => {
  const ask = await withServer(t, () => undefined)
  t.equal(await ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGARBAGE\r\n\r\n'), '')
})

test('what cannot be read behind a request that was answered gets its own answer', async (t) => {
  const ask = await withServer(t, (_request, response) => response.end('ok'))
  t.match(await ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GARBAGE\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n[^]*okHTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n/)
})

test('an answer that had begun is broken off, not continued with another', async (t) => {
  const ask = await withServer(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': '9' })
    response.flushHeaders()
  })
  const back = await ask('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')
  t.notMatch(back, /HTTP\/1\.1 400/)
})
