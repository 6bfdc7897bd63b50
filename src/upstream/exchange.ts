import type { Dispatcher } from 'undici'
import { nestedProblemClass, statusClass, type AbortedBy, type AttemptOutcome, type NotSentCause, type StatusClass, type UpstreamReply } from '../core/attempt.ts'
import { joined } from '../core/bytes.ts'
import { firstOf, received, receivedTrailers, valuesOf, type Fields } from '../core/headers.ts'
import type { Attempt, AttemptLimits, UpstreamRequest } from '../core/ports.ts'
import { hasNoContent, type Reply } from '../core/reply.ts'
import type { Connection, Rider } from './connections.ts'
import { BodyStream } from './streamed-body.ts'

/*
 * One request on one socket, from undici's point of view a dispatch handler.
 *
 *     queued --socket--> started --headers--> reading --end--> answered | refused | lost (by status)
 *        |                  |                    |--too large, event stream, close-delimited--> streaming
 *        |                  |                    '--error--> lost 'reply-incomplete'
 *        |                  '--error--> lost 'connection-lost' if the socket took a byte, else not_sent
 *        '--error, or no socket in time--> not_sent
 *
 * "Started" means that undici is about to write. Whether a byte was handed over is read off the socket's own count,
 * never guessed from the error: its codes are the same before and after the upstream did the work.
 */
export class Exchange implements Dispatcher.DispatchHandler, Rider, Attempt {
  readonly outcome: Promise<AttemptOutcome>
  readonly #request: UpstreamRequest
  readonly #limits: AttemptLimits
  #resolve!: (outcome: AttemptOutcome) => void
  #connection: Connection | null = null
  #cancelWait: (() => void) | null = null
  #bytesBefore = 0
  #started = false
  #done = false
  #abortedBy: AbortedBy | null = null
  #abort: ((reason?: Error) => void) | null = null
  #resume: () => void = nothing
  #status = 0
  #rawHeaders: Fields = []
  #headers: Fields = []
  #chunks: Uint8Array[] = []
  #size = 0
  #stream: BodyStream | null = null

  constructor(request: UpstreamRequest, limits: AttemptLimits) {
    this.#request = request
    this.#limits = limits
    this.outcome = new Promise((resolve) => { this.#resolve = resolve })
  }

  ride(connection: Connection): void {
    this.#connection = connection
  }

  waitForSocket(cancel: () => void): void {
    this.#cancelWait = cancel
  }

  noSocket(): void {
    if (!this.#started) this.#finish({ kind: 'not_sent', cause: 'no-socket' })
  }

  abort(by: AbortedBy): void {
    if (this.#done) return
    this.#abortedBy = by
    this.#cancelWait?.()
    if (this.#abort === null) this.#finish({ kind: 'aborted', by, sent: false })
    else this.#abort()
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#cancelWait?.()
    if (this.#done) {
      abort() // given up while it waited; nothing was written yet
      return
    }
    this.#abort = abort
    this.#started = true
    this.#bytesBefore = this.#connection?.socket?.bytesWritten ?? 0
    this.#connection?.strayContinue.expectHead()
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void): boolean {
    const fields = rawHeaders.map((bytes) => bytes.toString('latin1'))
    if (isInterim(status)) {
      this.#request.inform(status, received(fields))
      return true
    }
    this.#status = status
    this.#rawHeaders = fields
    if (status < 200 || isCodedUnknown(fields)) {
      this.#abort?.() // 000, a switch of protocols that nobody asked for, a coding that we cannot undo: lost, in onError
      return false
    }
    this.#resume = resume
    this.#headers = received(fields)
    if (!hasNoContent(this.#request.method, status) && this.#cannotBeKept(fields)) this.#stream = this.#startStreaming()
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#stream !== null) return this.#stream.push(chunk)
    this.#size += chunk.length
    this.#chunks.push(chunk)
    if (this.#size <= (this.#limits.keptReplyBytes ?? 0)) return true
    this.#stream = this.#startStreaming()
    let room = true
    for (const held of this.#chunks) room = this.#stream.push(held)
    this.#chunks = []
    return room
  }

  onComplete(rawTrailers: string[] | Buffer[] | null): void {
    const trailers = receivedTrailers((rawTrailers ?? []).map((part) => typeof part === 'string' ? part : part.toString('latin1')), this.#rawHeaders)
    if (this.#stream !== null) {
      this.#stream.trailers = trailers
      this.#stream.end('ended')
      return
    }
    const reply: Reply = { status: this.#status, headers: this.#headers, body: joined(this.#chunks), trailers }
    this.#finish(this.#outcomeOf({ kind: 'whole', reply }, nestedProblemClass(reply)))
  }

  onError(error: Error): void {
    this.#cancelWait?.()
    if (this.#isWholeWithoutContent()) this.onComplete(null)
    else if (this.#stream !== null) this.#stream.end('failed')
    else if (this.#abortedBy !== null) this.#finish({ kind: 'aborted', by: this.#abortedBy, sent: this.#sent() })
    else if (!this.#sent()) this.#finish({ kind: 'not_sent', cause: notSentCause(error) })
    else this.#finish({ kind: 'lost', cause: this.#status === 0 ? 'connection-lost' : 'reply-incomplete', reply: null })
  }

  /**
   * A 204, a 304 and the answer to HEAD end with their header section, whatever length it states (RFC 9112 section
   * 6.3). undici reports a 204 with a Content-Length as an error, after its header section and without any content.
   */
  #isWholeWithoutContent(): boolean {
    return this.#abortedBy === null && this.#status >= 200 && this.#size === 0 && !isCodedUnknown(this.#rawHeaders) && hasNoContent(this.#request.method, this.#status)
  }

  /** A count that cannot be read any more counts as sent: a false doubt costs a look-up, a false release costs money. */
  #sent(): boolean {
    if (!this.#started) return false
    const written = this.#connection?.socket?.bytesWritten
    return written === undefined || written > this.#bytesBefore
  }

  #cannotBeKept(fields: Fields): boolean {
    if (this.#limits.keptReplyBytes === null) return true
    const length = firstOf(fields, 'content-length')
    if (length !== undefined && Number(length) > this.#limits.keptReplyBytes) return true
    if (firstOf(fields, 'content-type')?.toLowerCase().startsWith('text/event-stream') === true) return true
    const closeDelimited = length === undefined && firstOf(fields, 'transfer-encoding') === undefined
    return closeDelimited && this.#limits.closeDelimited === 'stream'
  }

  #startStreaming(): BodyStream {
    const body = new BodyStream(() => this.#resume(), () => this.#abort?.())
    this.#finish(this.#outcomeOf({ kind: 'streaming', status: this.#status, headers: this.#headers, body }, undefined))
    return body
  }

  #outcomeOf(reply: UpstreamReply, nested: StatusClass | undefined): AttemptOutcome {
    const { status, afterDoubt } = this.#limits
    const seen = nested ?? statusClass(this.#status, this.#headers, status, afterDoubt)
    switch (seen) {
      case 'answered': return { kind: 'answered', reply }
      case 'refused': return { kind: 'refused', reply }
      case 'lost': return { kind: 'lost', cause: 'ambiguous-status', reply }
      default: return seen satisfies never
    }
  }

  #finish(outcome: AttemptOutcome): void {
    if (this.#done) return
    this.#done = true
    this.#resolve(outcome)
  }
}

/** 1xx that the client may care about. 100 is answered by whoever reads the body, 101 ends HTTP on the connection. */
function isInterim(status: number): boolean {
  return status > 101 && status < 200
}

/** Any transfer coding but `chunked`: undici would hand it on undecoded, and its end could not be told from a break. */
function isCodedUnknown(fields: Fields): boolean {
  const codings = valuesOf(fields, 'transfer-encoding')
  return codings.length > 0 && codings.join(',').trim().toLowerCase() !== 'chunked'
}

function notSentCause(error: Error): NotSentCause {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'dns'
  if (code === 'ECONNREFUSED') return 'connect-refused'
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'connect-timeout'
  if (/^(ERR_(SSL|TLS)_|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|EPROTO)/.test(code)) return 'tls'
  return 'connect-failed'
}

function nothing(): void {}
