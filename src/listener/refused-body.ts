import type { ServerResponse } from 'node:http'
import { firstOf } from '../core/headers.ts'

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
