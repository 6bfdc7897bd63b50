import { OPERATIONS_SINK, operationsSink, type Executor, type OperationsSettings } from './core/operations.ts'
import type { OutboxStore, Sink } from './core/outbox-ports.ts'
import { StoreUnavailable, type Clock, type Journal, type Random } from './core/ports.ts'
import type { SinkSettings } from './core/sink-settings.ts'
import type { Tracer } from './core/tracing.ts'
import type { Bell } from './relay/bell.ts'
import { CensusReading } from './relay/census-reading.ts'
import { Relay } from './relay/relay.ts'
import type { RelayMetrics } from './telemetry/relay-metrics.ts'
import { Rounds } from './upkeep/rounds.ts'

/** Another process may accept by an older configuration, and stop with work left: then it waits for so long at most. A look costs what a scrape does. */
const LOOK_EVERY_MS = 30_000

export interface RelaysDependencies {
  readonly store: OutboxStore
  readonly bell: Bell
  readonly clock: Clock
  readonly random: Random
  readonly meter: RelayMetrics
  readonly journal: Journal
  readonly tracer: Tracer
}

/** What this process delivers to, and what it executes. */
export interface Wanted {
  readonly sinks: readonly SinkSettings[]
  readonly operations: OperationsSettings
  /** some route accepts requests; else they are executed only while some wait */
  readonly accepts: boolean
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
  readonly #looks: Rounds
  #executor: Executor | null = null
  #operations: OperationsSettings | null = null
  #stopped = false

  constructor(deps: RelaysDependencies) {
    this.#deps = deps
    this.#looks = new Rounds(deps.clock, () => LOOK_EVERY_MS, () => this.#lookForWork())
    const census = new CensusReading(deps.store, () => [...this.#running.keys()], deps.clock)
    deps.meter.readFrom(() => census.read())
  }

  /** The sinks that are relayed now. */
  get sinks(): readonly Pick<Sink, 'name' | 'kind'>[] {
    return [...this.#running.values()].map(({ sink }) => sink)
  }

  /** Relays for these sinks; rejects if one of them cannot be made. */
  async start(sinks: readonly SinkSettings[]): Promise<void> {
    for (const settings of sinks) await this.#start(settings)
    this.#deps.meter.sinks([...this.#running.keys()])
    void this.#warnOfOthers()
  }

  /** From now on what was accepted is executed. */
  async execute(executor: Executor, { operations, accepts }: Pick<Wanted, 'operations' | 'accepts'>): Promise<void> {
    this.#executor = executor
    this.#operations = operations
    this.#looks.start()
    if (!await this.#executes(accepts)) return
    await this.#start(operationsSink(operations))
    this.#deps.meter.sinks([...this.#running.keys()])
  }

  /** Begins nothing more that was accepted. Resolves when what is under way has ended and is written, within the grace. */
  async stopExecuting(graceMs: number): Promise<void> {
    this.#executor = null
    await Promise.all([this.#stop(OPERATIONS_SINK, graceMs), this.#looks.stop()])
  }

  /** What has changed stops and starts anew, what is gone stops, and everything else goes on undisturbed. One that cannot be made is told of. */
  async adopt({ sinks: configured, operations, accepts }: Wanted): Promise<void> {
    this.#operations = operations
    const sinks = await this.#executes(accepts) ? [...configured, operationsSink(operations)] : configured
    const wanted = new Map(sinks.map((settings) => [settings.name, settings]))
    for (const [name, { text }] of [...this.#running]) if (text !== textOf(wanted.get(name))) await this.#stop(name)
    for (const settings of sinks) {
      if (this.#mayStart(settings)) await this.#startOrTell(settings)
    }
    this.#deps.meter.sinks([...this.#running.keys()])
    void this.#warnOfOthers()
  }

  /** All at once: each lets its deliveries end and resigns. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...[...this.#running.keys()].map((name) => this.#stop(name)), this.#looks.stop()])
    this.#deps.bell.stop()
  }

  async #start(settings: SinkSettings): Promise<void> {
    const sink = await openSink(settings, this.#executor, this.#deps)
    if (!this.#mayStart(settings)) return sink.close() // in the middle of a reload
    const relay = new Relay({ ...this.#deps, sink, settings })
    this.#running.set(settings.name, { text: textOf(settings), sink, relay })
    relay.start()
  }

  async #startOrTell(settings: SinkSettings): Promise<void> {
    try {
      await this.#start(settings)
    } catch (error) {
      this.#deps.journal.error('sink.refused', { sink: settings.name, error: error instanceof Error ? error.message : 'unknown' })
    }
  }

  #mayStart({ name }: SinkSettings): boolean {
    return !this.#stopped && !this.#running.has(name) && (name !== OPERATIONS_SINK || this.#executor !== null)
  }

  async #lookForWork(): Promise<void> {
    if (this.#operations === null || this.#running.has(OPERATIONS_SINK) || !await this.#executes(false)) return
    const settings = operationsSink(this.#operations)
    if (!this.#mayStart(settings)) return
    await this.#startOrTell(settings)
    this.#deps.meter.sinks([...this.#running.keys()])
  }

  async #stop(name: string, graceMs?: number): Promise<void> {
    const running = this.#running.get(name)
    await running?.relay.stop(graceMs)
    await running?.sink.close()
    this.#running.delete(name) // no sooner: whoever stops all of them waits for one that a reload is stopping, too
  }

  /** Work that was accepted before its route ceased to accept any is executed all the same. */
  async #executes(accepts: boolean): Promise<boolean> {
    if (this.#executor === null || accepts) return this.#executor !== null
    try {
      return (await this.#deps.store.census([])).some(({ sink, lagMs, dead }) => sink === OPERATIONS_SINK && (lagMs > 0 || dead > 0))
    } catch (error) {
      if (error instanceof StoreUnavailable) return true // a look that finds nothing is cheap
      throw error
    }
  }

  /** Events stay, but nobody delivers them. */
  async #warnOfOthers(): Promise<void> {
    const known = [...this.#running.keys()]
    try {
      for (const { sink, lagMs, dead } of (await this.#deps.store.census(known)).filter((one) => one.sink !== OPERATIONS_SINK && !known.includes(one.sink))) {
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
async function openSink({ name, receiver }: SinkSettings, executor: Executor | null, { clock, meter }: RelaysDependencies): Promise<Sink> {
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
    case 'operations': {
      const { openAcceptedSink } = await import('./relay/accepted.ts')
      if (executor === null) throw new Error('this process executes nothing any more')
      return openAcceptedSink(executor)
    }
    default: return receiver satisfies never
  }
}
