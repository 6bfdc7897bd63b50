import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { problem, problemMessage, type Problem, type Voice } from '../core/problem.ts'

/*
 * Replies to what node's parser does not turn into a request. They are written to the bare socket and end the
 * connection: after a message that cannot be read nobody knows where the next one begins.
 */

interface Latest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export class Unreadable {
  readonly #voice: Voice
  readonly #latest = new WeakMap<Duplex, Latest>()

  constructor(proxy: string) {
    this.#voice = { proxy, cors: [] }
  }

  /** A tunnel is never opened (RFC 9110 section 9.3.6). Parser errors come through `answer`. */
  watch(server: Server): void {
    server.on('connect', (_request, socket) => {
      socket.on('error', () => socket.destroy())
      this.#write(socket, problem('not-supported', 'CONNECT is refused: this is a gateway to one service'))
    })
  }

  /** Every request that was read, so that an error after it is told from an error in it. */
  saw(request: IncomingMessage, response: ServerResponse): void {
    this.#latest.set(request.socket, { request, response })
  }

  /** For node's 'clientError'. */
  answer(error: Error, socket: Duplex): void {
    const code = 'code' in error ? String(error.code) : ''
    if (!socket.writable || code === 'ECONNRESET' || !this.#mayWrite(socket)) socket.destroy()
    else this.#write(socket, problemOf(code))
  }

  /**
   * While an earlier request of this connection waits for its answer, whatever we wrote would be taken for that
   * answer: "nothing has run", said of a request that may be running.
   */
  #mayWrite(socket: Duplex): boolean {
    const latest = this.#latest.get(socket)
    if (latest === undefined || latest.response.writableFinished) return true
    return !latest.request.complete && !latest.response.headersSent && latest.response.socket === socket
  }

  #write(socket: Duplex, about: Problem): void {
    const { fields, body } = problemMessage(about, this.#voice)
    let head = `HTTP/1.1 ${about.status} ${STATUS_CODES[about.status] ?? ''}\r\nConnection: close\r\n`
    for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`
    socket.end(`${head}\r\n${body.toString('latin1')}`, 'latin1', () => socket.destroy())
  }
}

function problemOf(code: string): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': return problem('headers-too-large', 'the header section is larger than this server reads')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW': return problem('body-too-large', 'the chunk extensions are larger than this server reads')
    case 'ERR_HTTP_REQUEST_TIMEOUT': return problem('request-timeout', 'the request was not complete in time')
    case 'HPE_PAUSED_H2_UPGRADE': return problem('not-supported', 'the request is not in HTTP/1.1 or HTTP/1.0', { status: 505 })
    default: return problem('request-invalid', 'the message does not follow the syntax or the framing of HTTP/1.1')
  }
}
