import type { Context } from '@opentelemetry/api'
import type { Clock, Random } from '../core/ports.ts'
import type { TracingSettings } from '../core/tracing-settings.ts'
import type { Tracer } from '../core/tracing.ts'
import { SpanQueue, type DroppedSpans } from './span-queue.ts'
import { OpenTelemetryTracer, type SpanMaker, type TraceOptions } from './trace.ts'

/** Longest text of an attribute; a path may be as long as limits.target_bytes. */
const LONGEST_VALUE = 1024
/** Of one span: a call of a sink has a link for each event, and no more of them than one answer of a collector can bear. */
const MOST_LINKS = 128

export interface TraceDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly version: string
  readonly dropped: (why: DroppedSpans, spans: number) => void
}

type Libraries = Awaited<ReturnType<typeof load>>

/** Loads the SDK, which is there for nobody else: without `tracing` in the configuration nothing of it is in memory. */
export async function openTracer(settings: TracingSettings, options: Pick<TraceOptions, 'origin'>, deps: TraceDependencies): Promise<Tracer> {
  let libraries: Libraries
  try {
    libraries = await load()
  } catch (error) {
    throw new Error('`tracing` needs the optional packages @opentelemetry/api, @opentelemetry/sdk-trace, @opentelemetry/resources and @opentelemetry/exporter-trace-otlp-http, and one of them is not installed: npm install --include=optional', { cause: error })
  }
  return new OpenTelemetryTracer(makerOf(libraries, settings, deps), { ...options, ratio: settings.ratio }, deps.random)
}

async function load() {
  const [api, sdk, resources, exporter] = await Promise.all([
    import('@opentelemetry/api'), import('@opentelemetry/sdk-trace'), import('@opentelemetry/resources'), import('@opentelemetry/exporter-trace-otlp-http'),
  ])
  return { api, sdk, resources, exporter }
}

function makerOf({ api, sdk, resources, exporter }: Libraries, settings: TracingSettings, { clock, random, version, dropped }: TraceDependencies): SpanMaker {
  const { url, headers, timeoutMs } = settings.otlp
  const queue = new SpanQueue(new exporter.OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: timeoutMs }), clock, dropped)
  const traceIdKey = api.createContextKey('onceward trace id')
  let begun: Context = api.ROOT_CONTEXT
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': settings.serviceName, 'service.version': version, 'service.instance.id': random.token(12), 'onceward.service': settings.service,
    }),
    sampler: new sdk.AlwaysOnSampler(), // the head has decided: see core/tracing.ts
    spanLimits: { attributeValueLengthLimit: LONGEST_VALUE, linkCountLimit: MOST_LINKS },
    spanProcessors: [queue],
    idGenerator: {
      generateTraceId: () => String(begun.getValue(traceIdKey)),
      generateSpanId: () => Buffer.from(random.token(8), 'base64url').toString('hex'),
    },
  })
  const tracer = provider.getTracer('onceward', version)
  const { TraceFlags: { SAMPLED, NONE } } = api
  return {
    kinds: api.SpanKind,
    errorCode: api.SpanStatusCode.ERROR,
    start(name, kind, attributes, parent, places) {
      begun = parent
      const links = places.slice(0, MOST_LINKS).map(({ traceId, spanId, sampled }) => ({ context: { traceId, spanId, traceFlags: sampled ? SAMPLED : NONE, isRemote: true } }))
      return tracer.startSpan(name, { kind, attributes, links }, parent)
    },
    remote: ({ traceId, spanId }) => api.trace.setSpanContext(api.ROOT_CONTEXT, { traceId, spanId, traceFlags: SAMPLED, isRemote: true }),
    within: (span) => api.trace.setSpan(api.ROOT_CONTEXT, span),
    root: (traceId) => api.ROOT_CONTEXT.setValue(traceIdKey, traceId),
    stop: (withinMs) => queue.stop(withinMs),
  }
}
