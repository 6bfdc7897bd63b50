import type { Socket } from 'node:net'

/*
 * What an upstream may do that no upstream should: each behaviour, and what a guarded request proves by it.
 *
 *     doubt     it may have acted, and nothing that came can be trusted as its answer
 *     answer    odd, but a complete answer
 *     either    a whole answer of its own bytes, or a doubt: which of the two depends on when the rest is read
 */
export interface HostileReply {
  readonly name: string
  readonly proves: 'doubt' | 'answer' | 'either'
  readonly reply: (socket: Socket) => void
}

const bytes = (name: string, proves: HostileReply['proves'], text: string, then?: (socket: Socket) => void): HostileReply => ({
  name, proves, reply: (socket) => void socket.write(text, 'latin1', () => then?.(socket)),
})

const reset = (socket: Socket): void => void socket.resetAndDestroy()
const end = (socket: Socket): void => void socket.end()

const OK = 'HTTP/1.1 200 OK\r\n'

export const HOSTILE_REPLIES: readonly HostileReply[] = [
  { name: 'a reset instead of an answer', proves: 'doubt', reply: reset },
  { name: 'a close instead of an answer', proves: 'doubt', reply: end },
  bytes('a reset in the status line', 'doubt', 'HTTP/1.1 2', reset),
  bytes('a reset in the head', 'doubt', `${OK}Content-Le`, reset),
  bytes('a reset in the body', 'doubt', `${OK}Content-Length: 100\r\n\r\nhalf`, reset),
  bytes('a body shorter than it said', 'doubt', `${OK}Content-Length: 100\r\n\r\nhalf`, end),
  bytes('chunks without their end', 'doubt', `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`, end),
  bytes('a chunk size that is none', 'doubt', `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n`),
  bytes('a chunk longer than its size', 'doubt', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhalf\r\n0\r\n\r\n`),
  bytes('another protocol', 'doubt', 'SSH-2.0-OpenSSH_9.9\r\n'),
  bytes('a TLS alert', 'doubt', '\u0015\u0003\u0003\u0000\u0002\u0002\u0028'),
  bytes('a greeting of HTTP/2', 'doubt', '\u0000\u0000\u0012\u0004\u0000\u0000\u0000\u0000\u0000', end),
  bytes('status 000', 'doubt', 'HTTP/1.1 000 Nothing\r\nContent-Length: 2\r\n\r\nok'),
  bytes('a status of two digits', 'doubt', 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok'),
  bytes('two lengths that differ', 'doubt', `${OK}Content-Length: 2\r\nContent-Length: 5\r\n\r\nhello`),
  bytes('a length and chunks', 'doubt', `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`),
  bytes('a negative length', 'doubt', `${OK}Content-Length: -2\r\n\r\nok`),
  bytes('a length beyond 64 bits', 'doubt', `${OK}Content-Length: 18446744073709551618\r\n\r\nok`, end),
  bytes('a NUL in a field', 'doubt', `${OK}X-A: a\0b\r\nContent-Length: 2\r\n\r\nok`),
  bytes('a bare CR in a field', 'doubt', `${OK}X-A: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok`),
  bytes('a head that never ends', 'doubt', OK + `X-A: ${'a'.repeat(1000)}\r\n`.repeat(100), end),
  bytes('an unsolicited 100 and then nothing', 'doubt', 'HTTP/1.1 100 Continue\r\n\r\n', end),
  bytes('an unsolicited 101', 'doubt', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nframes'),
  bytes('status 999', 'answer', 'HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok'),
  bytes('a reason with every byte above ASCII', 'answer', 'HTTP/1.1 200 caf\u00e9\u00ff\r\nContent-Length: 2\r\n\r\nok'),
  bytes('a field named __proto__', 'answer', `${OK}__proto__: 1\r\nconstructor: 2\r\nContent-Length: 2\r\n\r\nok`),
  bytes('a hundred 103s before the answer', 'answer', `${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100)}${OK}Content-Length: 2\r\n\r\nok`),
  bytes('a body on a 204', 'either', 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok'),
  bytes('two answers', 'either', `${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 6\r\n\r\npoison`),
  bytes('more than it said', 'either', `${OK}Content-Length: 2\r\n\r\nokpoison`),
]
