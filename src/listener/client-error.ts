import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { problem, problemBody, PROBLEMS, type Problem } from '../core/problem.ts'
import { LINGER_BYTES, QUIET_MS } from './refused-body.ts'

/**
 * Answers what node's parser could not read, on the bare socket, and closes: after such a message nobody knows where
 * the next one begins. While an earlier request of the connection waits for its answer, whatever we wrote would be
 * taken for that answer: "nothing has run", said of a request that may be running. True if it was answered; the
 * parser complains of every further packet, too.
 */
export function answerClientError(error: Error, socket: Socket, current: ServerResponse | null, because: Problem | null): boolean {
  const code = 'code' in error ? String(error.code) : ''
  if (code !== 'ECONNRESET' && socket.writableEnded && socket.bytesRead < LINGER_BYTES) return false
  const inItsMessage = current === null || current.writableFinished || (!current.req.complete && !current.headersSent)
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && !inItsMessage) return false // the next head is late because we stopped reading; `idle_time` bounds it
  if (!socket.writable || code === 'ECONNRESET' || !inItsMessage) {
    socket.destroy()
    return false
  }
  write(socket, because ?? problem('request-invalid', 'the message does not follow the syntax or the framing of HTTP/1.1'))
  return true
}

/** Closing at once would take the answer away from a client that still sends; see refused-body.ts. */
function write(socket: Socket, about: Problem): void {
  const body = problemBody(about)
  const head = [
    `HTTP/1.1 ${about.status} ${STATUS_CODES[about.status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Proxy-Status: onceward; error=${PROBLEMS[about.code].proxyError}; details="${about.code}"`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.on('end', () => socket.destroy())
  socket.setTimeout(QUIET_MS)
}
