import type { IncomingMessage, ServerResponse } from 'node:http'
import { firstOf } from '../core/headers.ts'
import type { Clock } from '../core/ports.ts'

/*
 * An answer to a request whose body is still on its way. Closing a socket that holds unread bytes makes the kernel
 * send a reset, and a reset makes the client's kernel throw away the answer that it had not read yet: the client
 * sees a broken connection where we said 413. So we answer at once, read on for a while without keeping anything, and
 * close then (RFC 9112 section 9.6 describes it).
 */

/** So much of a refused body is read and thrown away; who sends more did not look at the answer. */
export const LINGER_BYTES = 64 * 1024 * 1024

/** A client that sends nothing for so long is not in the middle of sending. */
export const QUIET_MS = 2000

/** True while bytes of this request's body may still come. */
export function bodyIsLeft({ req: request }: ServerResponse): boolean {
  if (request.complete) return false
  const length = firstOf(request.rawHeaders, 'content-length')
  return firstOf(request.rawHeaders, 'transfer-encoding') !== undefined || (length !== undefined && Number(length) > 0)
}

/** Sends the body of an answer whose head is written and closes, and ends it once the request has ended or is given up. */
export function endOnceRead(response: ServerResponse, body: Uint8Array): void {
  const { req: request } = response
  let leftBytes = LINGER_BYTES
  const end = (): void => void response.end()
  request.on('data', (chunk: Buffer) => {
    leftBytes -= chunk.length
    if (leftBytes < 0) end()
  })
  request.on('end', end).on('close', end)
  response.on('timeout', end)
  request.socket.setTimeout(QUIET_MS)
  response.flushHeaders() // a HEAD request's answer has no body that would take them along
  response.write(body)
}

/** How long a client may go on sending what nobody reads any more before it is cut off. */
const LINGER_MS = 5000

/**
 * For an answer that goes out while the request is still coming in: the connection cannot be used again, and is closed
 * in two steps (RFC 9112 section 9.6). Closing it at once would answer the bytes under way with a reset, and a
 * reset makes the client's kernel throw away the answer that it has not read yet.
 */
export function lingerAfter(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  const { socket } = request
  response.shouldKeepAlive = false
  // node calls it once the answer has left.
  socket.destroySoon = () => {
    socket.end()
    request.resume()
    const cancel = clock.after(LINGER_MS, () => socket.destroy())
    socket.once('close', cancel)
  }
}
