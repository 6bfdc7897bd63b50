import type { Attributes as SpanAttributes, Context, Span as SdkSpan, SpanKind } from '@opentelemetry/api'
import type { Fields } from '../core/headers.ts'
import type { Random } from '../core/ports.ts'
import { toldPath } from '../core/request-target.ts'
import { readTracestate } from '../core/tracestate.ts'
import { isKept, sentPlace, UnrecordedTrace, type Attributes, type DeliveryAbout, type Onward, type Span, type SpanName, type SpanPlace, type Trace, type Tracer } from '../core/tracing.ts'

/*
 * Spans by the API of OpenTelemetry. Only traces that are recorded get this far: what the head decided against is known by its ids
 * alone, and costs those. Names of attributes: semantic conventions for HTTP spans (stable), and ours below `onceward.`.
 */

/** The part of the API that makes spans; loaded by trace-export.ts. */
export interface SpanMaker {
  start(name: string, kind: SpanKind, about: SpanAttributes, parent: Context, links: readonly SpanPlace[]): SdkSpan
  /** a span of somebody else's, to be the parent of ours */
  remote(place: SpanPlace): Context
  within(span: SdkSpan): Context
  /** in no trace, whose id will be this one */
  root(traceId: string): Context
  readonly kinds: Pick<typeof SpanKind, 'SERVER' | 'CLIENT' | 'INTERNAL' | 'PRODUCER' | 'CONSUMER'>
  readonly errorCode: number
  stop(withinMs: number): Promise<void>
}

export interface TraceOptions {
  /** 0 to 1, of traces that begin here */
  readonly ratio: number
  /** of the service behind: where attempts go */
  readonly origin: string
}

/** The methods of the conventions; any other is `_OTHER`. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'])

export class OpenTelemetryTracer implements Tracer {
  readonly records = true
  readonly #maker: SpanMaker
  readonly #options: TraceOptions
  readonly #random: Random
  readonly #upstream: Attributes

  constructor(maker: SpanMaker, options: TraceOptions, random: Random) {
    this.#maker = maker
    this.#options = options
    this.#random = random
    const { hostname, port, protocol } = new URL(options.origin)
    this.#upstream = { 'server.address': hostname.replace(/^\[|\]$/g, ''), 'server.port': Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port) }
  }

  receive(fields: Fields, method: string, target: string): Trace {
    const known = METHODS.has(method)
    const about = { 'http.request.method': known ? method : '_OTHER', 'url.path': toldPath(target) }
    return this.#continue(fields, known ? method : 'HTTP', this.#maker.kinds.SERVER, about)
  }

  execute(fields: Fields, route: string): Trace {
    return this.#continue(fields, `execute ${route}`, this.#maker.kinds.CONSUMER, { 'onceward.route': route })
  }

  deliver(origins: readonly SpanPlace[], { sink, kind, events }: DeliveryAbout): Trace | null {
    const traceId = this.#id(16)
    const kept = origins.length === 0 ? isKept(traceId, this.#options.ratio) : origins.some(({ sampled }) => sampled)
    if (!kept) return null
    const about = { 'onceward.sink': sink, 'onceward.sink.kind': kind, 'onceward.events': events }
    return this.#recorded(`deliver ${sink}`, this.#maker.kinds.PRODUCER, about, this.#maker.root(traceId), origins, '')
  }

  stop(withinMs: number): Promise<void> {
    return this.#maker.stop(withinMs)
  }

  /** In the trace of the fields, or in one that begins here: what they say of another is dropped with an invalid traceparent. */
  #continue(fields: Fields, name: string, kind: SpanKind, about: Attributes): Trace {
    const sent = sentPlace(fields)
    if (sent !== null) {
      if (!sent.sampled) return new UnrecordedTrace(sent.traceId, null, false)
      return this.#recorded(name, kind, about, this.#maker.remote(sent), [], readTracestate(fields))
    }
    const traceId = this.#id(16)
    if (!isKept(traceId, this.#options.ratio)) return new UnrecordedTrace(traceId, { spanId: this.#id(8), sampled: false, tracestate: '' }, false)
    return this.#recorded(name, kind, about, this.#maker.root(traceId), [], '')
  }

  #recorded(name: string, kind: SpanKind, about: Attributes, parent: Context, links: readonly SpanPlace[], tracestate: string): Trace {
    return new RecordedTrace(this.#maker, this.#maker.start(name, kind, about, parent, links), name, tracestate, this.#upstream)
  }

  /** Random bits in hexadecimal, which are not all zero. */
  #id(bytes: number): string {
    return Buffer.from(this.#random.token(bytes), 'base64url').toString('hex')
  }
}

class RecordedTrace implements Trace {
  readonly traceId: string
  readonly spanId: string
  readonly sampled = true
  readonly onward: Onward
  readonly #maker: SpanMaker
  readonly #span: SdkSpan
  readonly #name: string
  readonly #within: Context
  readonly #upstream: Attributes

  constructor(maker: SpanMaker, span: SdkSpan, name: string, tracestate: string, upstream: Attributes) {
    const { traceId, spanId } = span.spanContext()
    this.traceId = traceId
    this.spanId = spanId
    this.onward = { spanId, sampled: true, tracestate }
    this.#maker = maker
    this.#span = span
    this.#name = name
    this.#within = maker.within(span)
    this.#upstream = upstream
  }

  begin(name: SpanName, about: Attributes): Span {
    const { kinds } = this.#maker
    const sends = name === 'attempt'
    const span = this.#maker.start(name, sends ? kinds.CLIENT : kinds.INTERNAL, sends ? { ...this.#upstream, ...about } : about, this.#within, [])
    return { spanId: span.spanContext().spanId, end: (more, failed) => this.#end(span, more, failed) }
  }

  note(about: Attributes, failed: string | null): void {
    this.#span.setAttributes(about)
    if (failed !== null) this.#fail(this.#span, failed)
    const route = about['onceward.route']
    if (typeof route === 'string' && !this.#name.includes(' ')) this.#span.updateName(`${this.#name} ${route}`)
  }

  end(about: Attributes, failed: string | null): void {
    this.#end(this.#span, about, failed)
  }

  #end(span: SdkSpan, about: Attributes, failed: string | null): void {
    span.setAttributes(about)
    if (failed !== null) this.#fail(span, failed)
    span.end()
  }

  #fail(span: SdkSpan, why: string): void {
    span.setAttribute('error.type', why)
    span.setStatus({ code: this.#maker.errorCode })
  }
}
