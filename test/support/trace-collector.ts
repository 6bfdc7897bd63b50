import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A span as a collector is told of it. */
export interface ToldSpan {
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | null
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly failed: boolean
  readonly links: readonly { readonly traceId: string, readonly spanId: string }[]
  readonly startMs: number
  readonly endMs: number
}

export interface TraceCollector {
  readonly url: string
  readonly spans: readonly ToldSpan[]
  /** of each export: its headers, and the attributes of its resource */
  readonly exports: readonly { readonly path: string, readonly headers: IncomingHttpHeaders, readonly resource: ToldSpan['attributes'], readonly text: string }[]
  /** resolves with all spans so far once they are as wanted; looks at each export */
  close(): Promise<void>
  told(wanted: (spans: readonly ToldSpan[]) => boolean): Promise<readonly ToldSpan[]>
}

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const

interface Value { readonly stringValue?: string, readonly intValue?: number | string, readonly doubleValue?: number, readonly boolValue?: boolean }
type Pairs = readonly { readonly key: string, readonly value: Value }[]
interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Pairs }
    readonly scopeSpans: readonly { readonly spans: readonly {
      readonly name: string, readonly kind: number, readonly traceId: string, readonly spanId: string, readonly parentSpanId?: string
      readonly attributes: Pairs, readonly status: { readonly code: number }, readonly links: readonly { readonly traceId: string, readonly spanId: string }[]
      readonly startTimeUnixNano: string, readonly endTimeUnixNano: string
    }[] }[]
  }[]
}

/** The receiving end of OTLP over HTTP in JSON, as a collector is. `answers` with this status; null: it takes the call and never answers. */
export async function startTraceCollector(t: Test, answers: () => number | null = () => 200): Promise<TraceCollector> {
  const spans: ToldSpan[] = []
  const exports: TraceCollector['exports'][number][] = []
  const looks = new Set<() => void>()
  const server = createServer(async (request, response) => {
    const text = Buffer.concat(await request.toArray()).toString()
    const status = answers()
    if (status === null) return
    if (status === 200) {
      for (const { resource, scopeSpans } of (JSON.parse(text) as Exported).resourceSpans) {
        exports.push({ path: request.url ?? '', headers: request.headers, resource: valuesOf(resource.attributes), text })
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
          spans.push({
            name: span.name, kind: KINDS[span.kind] ?? 'internal', traceId: span.traceId, spanId: span.spanId, parentSpanId: span.parentSpanId ?? null,
            attributes: valuesOf(span.attributes), failed: span.status.code === 2, links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
            startMs: Number(span.startTimeUnixNano) / 1e6, endMs: Number(span.endTimeUnixNano) / 1e6,
          })
        }
      }
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    for (const look of [...looks]) look()
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, exports,
    close: () => new Promise((resolve) => { server.close(() => resolve()) }),
    told: (wanted) => new Promise((resolve) => {
      const look = (): void => {
        if (!wanted(spans)) return
        looks.delete(look)
        resolve([...spans])
      }
      looks.add(look)
      look()
    }),
  }
}

function valuesOf(pairs: Pairs): ToldSpan['attributes'] {
  return Object.fromEntries(pairs.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [key, stringValue ?? (intValue === undefined ? doubleValue ?? boolValue ?? '' : Number(intValue))]))
}
