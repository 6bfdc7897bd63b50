import { STATUS_CODES, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { problem, problemMessage, type Problem, type Voice } from '../core/problem.ts'
import { LINGER_BYTES, QUIET_MS } from './refused-body.ts'

/**
 * Answers what node's parser could not read, on the bare socket, and closes: after such a message nobody knows where
 * the next one begins. While an earlier request of the connection waits for its answer, whatever we wrote would be
 * taken for that answer: "nothing has run", said of a request that may be running. True if it was answered; the
 * parser complains of every further packet, too.
 */
export function answerClientError(error: Error, socket: Socket, current: ServerResponse | null, because: Problem | null, voice: Voice): boolean {
  const code = 'code' in error ? String(error.code) : ''
  if (code !== 'ECONNRESET' && socket.writableEnded && socket.bytesRead < LINGER_BYTES) return false
  const inItsMessage = current === null || current.writableFinished || (!current.req.complete && !current.headersSent)
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && !inItsMessage) return false // the next head is late because we stopped reading; `idle_time` bounds it
  if (!socket.writable || code === 'ECONNRESET' || !inItsMessage) {
    socket.destroy()
    return false
  }
  write(socket, because ?? problemOf(code), voice)
  return true
}

function problemOf(code: string): Problem {
  if (code === 'HPE_PAUSED_H2_UPGRADE') return problem('not-supported', 'the request is not in HTTP/1.1 or HTTP/1.0', { status: 505 })
  return problem('request-invalid', 'the message does not follow the syntax or the framing of HTTP/1.1')
}

/** A tunnel to anywhere is never opened (RFC 9110 section 9.3.6). */
export function refuseTunnels(server: Server, voice: Voice): void {
  server.on('connect', (_request, socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(message(problem('not-supported', 'CONNECT is refused: this is a gateway to one service'), voice), 'latin1', () => socket.destroy())
  })
}

/** Closing at once would take the answer away from a client that still sends; see refused-body.ts. */
function write(socket: Socket, about: Problem, voice: Voice): void {
  socket.end(message(about, voice), 'latin1')
  socket.on('end', () => socket.destroy())
  socket.setTimeout(QUIET_MS)
}

function message(about: Problem, voice: Voice): string {
  const { fields, body } = problemMessage(about, voice)
  let head = `HTTP/1.1 ${about.status} ${STATUS_CODES[about.status] ?? ''}\r\nConnection: close\r\n`
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`
  return `${head}\r\n${body.toString('latin1')}`
}
