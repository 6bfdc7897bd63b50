import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Clock } from '../core/ports.ts'

/** `queue`: no room; `export`: the collector did not take them. */
export type DroppedSpans = 'queue' | 'export'

/** Some seconds of a busy process; a span takes a kilobyte or two. */
const MOST_SPANS = 4096
const BATCH = 512
const DELAY_MS = 1000
/** @opentelemetry/core's ExportResultCode.SUCCESS, which would have to be loaded for this one number. */
const SUCCESS = 0

/**
 * Spans on their way to the collector: one call at a time, made of what has gathered in a second. What does not fit is dropped and
 * counted, so that a collector which hangs costs memory up here, and never a request.
 */
export class SpanQueue implements SpanProcessor {
  readonly #exporter: SpanExporter
  readonly #clock: Clock
  readonly #dropped: (why: DroppedSpans, spans: number) => void
  #waiting: ReadableSpan[] = []
  #exporting: Promise<void> | null = null
  #cancel: (() => void) | null = null
  #stopped = false

  constructor(exporter: SpanExporter, clock: Clock, dropped: (why: DroppedSpans, spans: number) => void) {
    this.#exporter = exporter
    this.#clock = clock
    this.#dropped = dropped
  }

  onStart(): void {
    // only what has ended is told
  }

  onEnd(span: ReadableSpan): void {
    if (this.#stopped || this.#waiting.length >= MOST_SPANS) return this.#dropped('queue', 1)
    this.#waiting.push(span)
    if (this.#waiting.length >= BATCH) this.#begin()
    else this.#cancel ??= this.#clock.after(DELAY_MS, () => this.#begin())
  }

  forceFlush(): Promise<void> {
    return this.#drain()
  }

  shutdown(): Promise<void> {
    return this.stop(DELAY_MS)
  }

  /** What is not taken by then is lost, and counted. May be called twice. */
  async stop(withinMs: number): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const drained = this.#drain()
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(withinMs, resolve)
      void drained.finally(() => {
        cancel()
        resolve()
      })
    })
    if (this.#waiting.length > 0) this.#dropped('queue', this.#waiting.splice(0).length)
    void this.#exporter.shutdown().catch(() => undefined) // it may wait for a collector that hangs
  }

  async #drain(): Promise<void> {
    do {
      this.#begin()
      await this.#exporting
    } while (this.#waiting.length > 0)
  }

  #begin(): void {
    if (this.#exporting !== null) return // the next one begins with its end
    this.#cancel?.()
    this.#cancel = null
    if (this.#waiting.length === 0) return
    this.#exporting = this.#send(this.#waiting.splice(0, BATCH))
  }

  async #send(spans: ReadableSpan[]): Promise<void> {
    if (!await this.#export(spans)) this.#dropped('export', spans.length)
    this.#exporting = null
    if (this.#waiting.length >= BATCH) this.#begin()
    else if (this.#waiting.length > 0 && !this.#stopped) this.#cancel ??= this.#clock.after(DELAY_MS, () => this.#begin())
  }

  /** Whether they were taken. The exporter has a timeout of its own. */
  #export(spans: ReadableSpan[]): Promise<boolean> {
    return new Promise((resolve) => {
      try {
        this.#exporter.export(spans, ({ code }: { readonly code: number }) => resolve(code === SUCCESS))
      } catch {
        resolve(false)
      }
    })
  }
}
