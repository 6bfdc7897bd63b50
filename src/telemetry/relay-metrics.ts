import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { SinkCensus } from '../core/outbox.ts'
import type { DeliveryEnd, RelayMeter } from '../core/outbox-ports.ts'
import { Table } from './table.ts'

const ENDS: readonly DeliveryEnd[] = ['delivered', 'retried', 'deferred', 'dead']
const PAUSES = { no: 0, resting: 1, disabled: 2 } as const
/** From a receiver in the same rack to one that hangs until the longest usual timeout. */
const CALL_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30]
/** Where no sink is configured and nothing waits, so that rules and dashboards find the series. */
const NO_SINK: SinkCensus = { sink: 'none', lagMs: 0, dead: 0 }

/** What the relays count, and the two gauges of the outbox, which are read in the store when somebody scrapes. */
export class RelayMetrics implements RelayMeter {
  readonly #deliveries = new Table()
  readonly #late = new Table()
  readonly #leads: Gauge
  readonly #rate: Gauge
  readonly #paused: Gauge
  readonly #took: Histogram
  readonly #known = new Set<string>()
  #census: () => Promise<readonly SinkCensus[] | null> = () => Promise.resolve([])

  constructor(registry: Registry) {
    const [deliveries, late] = [this.#deliveries, this.#late]
    const census = (): Promise<readonly SinkCensus[] | null> => this.#shown()
    registry.registerMetric(new Gauge({
      name: 'outbox_lag_seconds', help: 'Age of the oldest undelivered event, dead letters excluded; absent while the store does not say.', labelNames: ['sink'], registers: [],
      async collect() {
        this.reset()
        for (const { sink, lagMs } of await census() ?? []) this.set({ sink }, lagMs / 1000)
      },
    }))
    registry.registerMetric(new Gauge({
      name: 'dead_letter_queue_depth', help: 'Events that were given up and wait for somebody; absent while the store does not say.', labelNames: ['sink'], registers: [],
      async collect() {
        this.reset()
        for (const { sink, dead } of await census() ?? []) this.set({ sink }, dead)
      },
    }))
    registry.registerMetric(new Counter({
      name: 'onceward_deliveries_total', help: 'Deliveries of events by how they ended: deferred ones failed without costing the event an attempt.', labelNames: ['sink', 'outcome'], registers: [],
      collect() { deliveries.pourInto(this, ['sink', 'outcome']) },
    }))
    registry.registerMetric(new Counter({
      name: 'onceward_late_redeliveries_total', help: 'Events that were sent again so late that the receiver may have forgotten their ids.', labelNames: ['sink'], registers: [],
      collect() { late.pourInto(this, ['sink']) },
    }))
    const registers = [registry]
    this.#leads = new Gauge({ name: 'onceward_relay_leader', help: 'Whether this process delivers the events of the sink.', labelNames: ['sink'], registers })
    this.#rate = new Gauge({ name: 'onceward_relay_catch_up_rate', help: 'Events a second that a catch-up is held to; 0 if nothing is held back.', labelNames: ['sink'], registers })
    this.#paused = new Gauge({ name: 'onceward_sink_paused', help: 'Whether deliveries pause: 0 no, 1 the sink fails, 2 it wants nothing any more.', labelNames: ['sink'], registers })
    this.#took = new Histogram({ name: 'onceward_delivery_seconds', help: 'Duration of calls to the receiver, whatever came of them.', labelNames: ['sink'], buckets: CALL_BUCKETS_S, registers })
  }

  /** Where the gauges are read; null: the store does not say. */
  readFrom(census: () => Promise<readonly SinkCensus[] | null>): void {
    this.#census = census
  }

  sinks(names: readonly string[]): void {
    for (const sink of names.filter((name) => !this.#known.has(name))) {
      this.#known.add(sink)
      for (const outcome of ENDS) this.#deliveries.add(0, sink, outcome)
      this.#late.add(0, sink)
      this.#leads.set({ sink }, 0)
      this.#rate.set({ sink }, 0)
      this.#paused.set({ sink }, PAUSES.no)
      this.#took.zero({ sink })
    }
  }

  delivered(sink: string, end: DeliveryEnd, events: number): void {
    this.#deliveries.add(events, sink, end)
  }

  took(sink: string, durationMs: number): void {
    this.#took.observe({ sink }, durationMs / 1000)
  }

  sentLate(sink: string, events: number): void {
    this.#late.add(events, sink)
  }

  leads(sink: string, leads: boolean): void {
    this.#leads.set({ sink }, leads ? 1 : 0)
  }

  catchingUp(sink: string, rate: number | null): void {
    this.#rate.set({ sink }, rate ?? 0)
  }

  paused(sink: string, why: keyof typeof PAUSES): void {
    this.#paused.set({ sink }, PAUSES[why])
  }

  async #shown(): Promise<readonly SinkCensus[] | null> {
    const counted = await this.#census()
    return counted?.length === 0 ? [NO_SINK] : counted
  }
}
