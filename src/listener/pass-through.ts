import { METHODS, type IncomingHttpHeaders, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import httpProxy from '@fastify/http-proxy'
import { fastify, type FastifyInstance } from 'fastify'
import { Dispatcher } from 'undici'

/** Asks the upstream and writes the answer; it never throws. */
export type Passage = () => void

/** A symbol cannot come from a client, and reply-from copies it along with the names. */
const PASSAGE = Symbol('passage')

interface Linked extends IncomingHttpHeaders {
  readonly [PASSAGE]: Passage
}

/**
 * Pass-through by @fastify/http-proxy, which is given its own undici: ours. On its own the plugin parses the target as
 * a URL (`/x/../y` becomes `/y`), knows fields by name only, reads those of a reply as UTF-8, drops 1xx and goes on
 * with requests whose client has left; a gateway owes the bytes as they are (RFC 9110 section 7.7). So every request
 * is one for `/` to the plugin, and what it hands to undici is carried out by the request's own passage. Its retries
 * are off: by its defaults it repeats a GET that was answered 503 ten times behind our back.
 */
export class PassThrough {
  readonly app: FastifyInstance
  readonly #passages = new WeakMap<object, Passage>()
  #listener: RequestListener | null = null

  constructor(origin: string, server: () => Server, onUnreadable: (error: Error, socket: Socket) => void) {
    this.app = fastify({
      clientErrorHandler: onUnreadable,
      serverFactory: (listener) => {
        this.#listener = listener
        return server()
      },
      logger: false, exposeHeadRoutes: false, forceCloseConnections: 'idle',
    })
    // Every method that node's parser knows, and no body that fastify would want to read.
    const httpMethods = METHODS.filter((method) => method !== 'CONNECT')
    for (const method of httpMethods) this.app.addHttpMethod(method, { hasBody: false, overrideExisting: true })
    this.app.register(httpProxy, {
      upstream: origin,
      httpMethods,
      undici: new PassageDispatcher(),
      retryMethods: [],
      disableRequestLogging: true,
      handler: (_request, reply, dest, options) => reply.hijack().from(dest, options),
      replyOptions: {
        rewriteRequestHeaders: (request, headers) => {
          const passage = this.#passages.get(request.raw)
          return passage === undefined ? headers : { [PASSAGE]: passage }
        },
      },
    })
  }

  /** The plugin's turn; `passage` runs as soon as it has done its part. */
  hand(request: IncomingMessage, response: ServerResponse, passage: Passage): void {
    this.#passages.set(request, passage)
    request.url = '/'
    this.#listener?.(request, response)
  }
}

/** What the plugin takes for undici. It hears of no reply, because the passage writes it. */
class PassageDispatcher extends Dispatcher {
  override dispatch(options: Dispatcher.DispatchOptions): boolean {
    if (!isLinked(options.headers)) throw new Error('a request came to the plugin by another way than ours')
    options.headers[PASSAGE]()
    return true
  }
}

function isLinked(headers: Dispatcher.DispatchOptions['headers']): headers is Linked {
  return typeof headers === 'object' && headers !== null && PASSAGE in headers
}
