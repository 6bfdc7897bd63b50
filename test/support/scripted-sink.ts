import type { Delivery, Outgoing, SinkKind, SinkShape } from '../../src/core/delivery.ts'
import type { DeliveryEnd, RelayMeter, Sink } from '../../src/core/outbox-ports.ts'
import type { SinkSettings } from '../../src/core/sink-settings.ts'

export const DELIVERED: Delivery = { kind: 'delivered' }
export const SINK_IS_AWAY: Delivery = { kind: 'retryable', cause: 'connection refused', blame: 'sink', notBeforeMs: null }
export const POISONED: Delivery = { kind: 'retryable', cause: '422', blame: 'event', notBeforeMs: null }
export const TIMED_OUT: Delivery = { kind: 'retryable', cause: 'timed out', blame: 'unknown', notBeforeMs: null }

export interface ScriptedSink extends Sink {
  /** every delivery, in the order in which they began */
  readonly sent: Outgoing[]
  /** the events of each call */
  readonly calls: (readonly Outgoing[])[]
  readonly begins: number
  closed: boolean
}

/** A sink without a receiver: `answer` says how a delivery ends, as soon as its promise does. */
export function scriptedSink(answer: (event: Outgoing, signal: AbortSignal) => Delivery | Promise<Delivery>, more: { readonly kind?: SinkKind, readonly shape?: Partial<SinkShape>, readonly atOnce?: number, readonly settledFirst?: boolean, readonly begin?: () => Promise<void> } = {}): ScriptedSink {
  let begins = 0
  return {
    name: 'hook', kind: more.kind ?? 'webhook', atOnce: more.atOnce ?? 64, settledFirst: more.settledFirst ?? false, sent: [], calls: [], closed: false,
    shape: { events: 1, perLane: 1, bytes: 1_000_000, ...more.shape },
    get begins() { return begins },
    begin() {
      begins += 1
      return more.begin?.() ?? Promise.resolve()
    },
    deliver(batch, signal) {
      this.calls.push(batch)
      this.sent.push(...batch)
      return Promise.all(batch.map(async (event) => await answer(event, signal)))
    },
    close() {
      this.closed = true
      return Promise.resolve()
    },
  }
}

export function sinkSettings(more: Partial<SinkSettings> = {}): SinkSettings {
  return {
    name: 'hook', attempts: 10, baseMs: 1000, capMs: 300_000, onDead: 'block', lanes: 256, concurrency: 64, batch: 1000, leaseMs: 10_000,
    catchUp: { aboveMs: 10_000, rate: 500, rampMs: 10_000 },
    receiver: { kind: 'webhook', url: new URL('http://127.0.0.1:1'), secrets: [], timeoutMs: 15_000, allow: [], headers: [] },
    ...more,
  }
}

/** A RelayMeter that keeps what it was told. */
export class NotedRelayMeter implements RelayMeter {
  readonly ends: Record<DeliveryEnd, number> = { delivered: 0, retried: 0, deferred: 0, dead: 0 }
  late = 0
  leading = false
  rate: number | null = null
  readonly rates: (number | null)[] = []
  why = 'no'
  readonly pauses: string[] = []
  sinks(): void {}
  took(): void {}
  delivered(_sink: string, end: DeliveryEnd, events: number): void { this.ends[end] += events }
  sentLate(_sink: string, events: number): void { this.late += events }
  leads(_sink: string, leads: boolean): void { this.leading = leads }
  catchingUp(_sink: string, rate: number | null): void { this.rates.push(this.rate = rate) }
  paused(_sink: string, why: string): void { this.pauses.push(this.why = why) }
}
