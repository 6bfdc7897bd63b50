import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../core/ports.ts'

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
