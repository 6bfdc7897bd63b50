import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { ContentWatch } from '../request/pass-on.ts'

/**
 * The body of a request as a stream of its own. An upstream that has enough of it ends this stream and not the
 * client's connection, on which its early answer still has to leave (RFC 9112 section 9.6). An upstream that does not
 * read pauses the client.
 */
export function contentOf(request: IncomingMessage, watch: ContentWatch | null): Readable {
  const content = new Readable({ read: () => { request.resume() } })
  request.on('data', (chunk: Buffer) => {
    watch?.chunk(chunk)
    if (!content.destroyed && !content.push(chunk)) request.pause() // after its end what still comes is thrown away
  })
  request.on('end', () => {
    content.push(null)
    watch?.complete()
  })
  request.on('close', () => {
    if (!request.complete) content.destroy(new ContentBrokenOff())
  })
  return content
}

/** The client left before its body was complete; the upstream must not take what it has for all of it. */
class ContentBrokenOff extends Error {
  constructor() {
    super('the client broke off in the middle of its request')
    this.name = 'ContentBrokenOff'
  }
}
