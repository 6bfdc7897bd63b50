import { firstOf, valuesOf, type Fields } from './headers.ts'
import { formatTraceparent, readTraceparent } from './traceparent.ts'

/*
 * Traces, as the flows see them. A request belongs to the trace that its client sent (W3C Trace Context), or to one that begins
 * here. Whether a trace is recorded is decided once, at its head: a client's word counts, and where there is none the ratio.
 *
 *     not configured   the trace is known by what the client sent; nothing is recorded, and its fields travel as sent
 *     not sampled      likewise, but a trace that begins here is told to the upstream, with the decision
 *     sampled          a span for the request and spans in it; each attempt's own id is the upstream's parent
 */

/** Names and values of closed sets, numbers, and words of the configuration; never a key, a credential, a body or a query. */
export type Attributes = Readonly<Record<string, string | number | boolean>>

export type SpanName = 'claim' | 'attempt' | 'settle'

/** Where something stands in a trace. */
export interface SpanPlace {
  /** 32 hexadecimal digits */
  readonly traceId: string
  /** 16 hexadecimal digits */
  readonly spanId: string
  readonly sampled: boolean
}

/** A span under way, which is recorded. */
export interface Span {
  readonly spanId: string
  /** Called once. `failed` is a word for what went wrong, null if nothing did. */
  end(about: Attributes, failed: string | null): void
}

/** The trace of one request, execution or delivery. */
export interface Trace {
  readonly traceId: string
  /** of our own span; null if nothing is recorded, so that nobody looks for it */
  readonly spanId: string | null
  /** somebody records it: we, or the client by its own word */
  readonly sampled: boolean
  /** what the upstream is told in place of what the client sent; null leaves that as it is */
  readonly onward: Onward | null
  /** A span within ours; null if nothing is recorded. */
  begin(name: SpanName, about: Attributes): Span | null
  /** What is found out on the way about our own span; nothing after its end. `failed` as in `Span.end`. */
  note(about: Attributes, failed: string | null): void
  /** Ends our own span; called once. */
  end(about: Attributes, failed: string | null): void
}

export interface Onward {
  readonly spanId: string
  readonly sampled: boolean
  /** empty: there is none */
  readonly tracestate: string
}

/** A call of a sink. */
export interface DeliveryAbout {
  readonly sink: string
  readonly kind: string
  readonly events: number
}

/** Begins spans. Nothing here throws, waits or fails for what becomes of them. */
export interface Tracer {
  /** false: a request's trace is what its client sent, and need not be looked for before somebody asks */
  readonly records: boolean
  /** the trace of a request that arrives */
  receive(fields: Fields, method: string, path: string): Trace | null
  /** of an accepted request that is executed: it goes on with the trace of its origin, as it was stored */
  execute(fields: Fields, route: string): Trace | null
  /** of a call of a sink: a trace of its own, with links to where its events are from. Recorded if one of those is, or, where none is known, by the ratio */
  deliver(origins: readonly SpanPlace[], about: DeliveryAbout): Trace | null
  /** Exports what is left, for at most `withinMs`, and nothing afterwards. */
  stop(withinMs: number): Promise<void>
}

/** What is there without configuration: ids, where a client sent some. */
export const NO_TRACER: Tracer = {
  records: false,
  receive: (fields) => sentTrace(fields),
  execute: (fields) => sentTrace(fields),
  deliver: () => null,
  stop: () => Promise.resolve(),
}

/** What the fields say; null if they have no traceparent, several, or one that is none. */
export function sentPlace(fields: Fields): SpanPlace | null {
  const first = firstOf(fields, 'traceparent')
  if (first === undefined || valuesOf(fields, 'traceparent').length > 1) return null
  const read = readTraceparent(first)
  return read === null ? null : { traceId: read.traceId, spanId: read.parentId, sampled: read.sampled }
}

function sentTrace(fields: Fields): Trace | null {
  const place = sentPlace(fields)
  return place === null ? null : new UnrecordedTrace(place.traceId, null, place.sampled)
}

/** Known, and nothing more. */
export class UnrecordedTrace implements Trace {
  readonly traceId: string
  readonly spanId = null
  readonly onward: Onward | null
  readonly sampled: boolean

  constructor(traceId: string, onward: Onward | null, sampled: boolean) {
    this.traceId = traceId
    this.onward = onward
    this.sampled = sampled
  }

  begin(): null {
    return null
  }

  note(): void {
    // nobody sees it
  }

  end(): void {
    // nothing has begun
  }
}

/** Of our own span of a request, for its events; null where what the client sent stands. */
export function ownTraceparent(trace: Trace | null): string | null {
  return trace === null || trace.onward === null ? null : formatTraceparent(trace.traceId, trace.onward.spanId, trace.onward.sampled)
}

/** The id under which somebody finds more; null where nobody does. */
export function exampleOf(trace: Trace | null): string | null {
  return trace !== null && trace.sampled ? trace.traceId : null
}

/** For a log line. */
export function traceIds(trace: Trace | null): { readonly trace_id?: string, readonly span_id?: string } {
  if (trace === null) return NO_IDS
  return trace.spanId === null ? { trace_id: trace.traceId } : { trace_id: trace.traceId, span_id: trace.spanId }
}

const NO_IDS = {}

const HEXADECIMAL = 16
/** The part of a trace id that is random by W3C Trace Context level 2, and that consistent samplers look at: its last 56 bits. */
const RANDOM_DIGITS = 14

/**
 * Whether a trace is among the `ratio` (0 to 1) of those that are kept. The same in every process and for everything that asks: what
 * is kept at a ratio is kept at every larger one.
 */
export function isKept(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-RANDOM_DIGITS), HEXADECIMAL) >= (1 - ratio) * HEXADECIMAL ** RANDOM_DIGITS
}
