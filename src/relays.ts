import type { OutboxStore, Sink } from './core/outbox-ports.ts'
import type { Clock, Journal, Random } from './core/ports.ts'
import type { SinkSettings } from './core/sink-settings.ts'
import type { Bell } from './relay/bell.ts'
import { CensusReading } from './relay/census-reading.ts'
import { Relay } from './relay/relay.ts'
import type { RelayMetrics } from './telemetry/relay-metrics.ts'

export interface RelaysDependencies {
  readonly store: OutboxStore
  readonly bell: Bell
  readonly clock: Clock
  readonly random: Random
  readonly meter: RelayMetrics
  readonly journal: Journal
}

interface Running {
  /** the settings as text: URLs, keys and all, for comparison and nothing else */
  readonly text: string
  readonly sink: Sink
  readonly relay: Relay
}

/** The relays of this process: one for each sink that is configured. */
export class Relays {
  readonly #deps: RelaysDependencies
  readonly #running = new Map<string, Running>()
  #stopped = false

  constructor(deps: RelaysDependencies) {
    this.#deps = deps
    const census = new CensusReading(deps.store, () => [...this.#running.keys()], deps.clock)
    deps.meter.readFrom(() => census.read())
  }

  /** Relays for these sinks; rejects if one of them cannot be made. */
  async start(sinks: readonly SinkSettings[]): Promise<void> {
    for (const settings of sinks) await this.#start(settings)
    this.#deps.meter.sinks([...this.#running.keys()])
    void this.#warnOfOthers()
  }

  /** What has changed stops and starts anew, what is gone stops, and everything else goes on undisturbed. One that cannot be made is told of. */
  async adopt(sinks: readonly SinkSettings[]): Promise<void> {
    const wanted = new Map(sinks.map((settings) => [settings.name, settings]))
    for (const [name, { text }] of [...this.#running]) if (text !== textOf(wanted.get(name))) await this.#stop(name)
    for (const settings of sinks) {
      if (this.#running.has(settings.name) || this.#stopped) continue
      try {
        await this.#start(settings)
      } catch (error) {
        this.#deps.journal.error('sink.refused', { sink: settings.name, error: error instanceof Error ? error.message : 'unknown' })
      }
    }
    this.#deps.meter.sinks([...this.#running.keys()])
    void this.#warnOfOthers()
  }

  /** All at once: each lets its deliveries end and resigns. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#running.keys()].map((name) => this.#stop(name)))
    this.#deps.bell.stop()
  }

  async #start(settings: SinkSettings): Promise<void> {
    const sink = await openSink(settings, this.#deps)
    if (this.#stopped) return sink.close() // in the middle of a reload
    const relay = new Relay({ ...this.#deps, sink, settings })
    this.#running.set(settings.name, { text: textOf(settings), sink, relay })
    relay.start()
  }

  async #stop(name: string): Promise<void> {
    const running = this.#running.get(name)
    await running?.relay.stop()
    await running?.sink.close()
    this.#running.delete(name) // no sooner: whoever stops all of them waits for one that a reload is stopping, too
  }

  /** Events stay, but nobody delivers them. */
  async #warnOfOthers(): Promise<void> {
    const known = [...this.#running.keys()]
    try {
      for (const { sink, lagMs, dead } of (await this.#deps.store.census(known)).filter((one) => !known.includes(one.sink))) {
        this.#deps.journal.warn('outbox.sink-not-configured', { sink, lagSeconds: Math.round(lagMs / 1000), dead })
      }
    } catch (error) {
      this.#deps.journal.warn('relay.interrupted', { error: error instanceof Error ? error.message : 'unknown' })
    }
  }
}

function textOf(settings: SinkSettings | undefined): string {
  return JSON.stringify(settings) ?? ''
}

/** Only what is configured is loaded: the clients of brokers are large, and optional. */
async function openSink({ name, receiver }: SinkSettings, { clock, meter }: RelaysDependencies): Promise<Sink> {
  switch (receiver.kind) {
    case 'webhook': {
      const { openWebhookSink } = await import('./sink/webhook.ts')
      return openWebhookSink(name, receiver, { clock })
    }
    case 'sqs': {
      const { openSqsSink } = await import('./sink/sqs-fifo.ts')
      return await openSqsSink(name, receiver, { clock, meter })
    }
    case 'kafka': {
      const { openKafkaSink } = await import('./sink/kafka.ts')
      return await openKafkaSink(name, receiver, { clock })
    }
    default: return receiver satisfies never
  }
}
