import type { OutboxStore } from './core/outbox-ports.ts'
import type { Clock, Journal, Random } from './core/ports.ts'
import type { SourceMeter } from './core/source-ports.ts'
import type { SourceSettings } from './core/source-settings.ts'
import type { Bell } from './relay/bell.ts'
import { SourceReader } from './relay/source.ts'

export interface SourcesDependencies {
  readonly store: OutboxStore
  readonly service: string
  readonly bell: Bell
  readonly clock: Clock
  readonly random: Random
  readonly meter: SourceMeter
  readonly journal: Journal
}

interface Running {
  /** the settings as text, the URL with its password among them: for comparison and nothing else */
  readonly text: string
  readonly reader: SourceReader
}

/** The readers of this process: one for each source that is configured. */
export class Sources {
  readonly #deps: SourcesDependencies
  readonly #running = new Map<string, Running>()
  #stopped = false

  constructor(deps: SourcesDependencies) {
    this.#deps = deps
  }

  /** What has changed stops and starts anew, what is gone stops, and everything else goes on undisturbed. */
  async adopt(sources: readonly SourceSettings[]): Promise<void> {
    const wanted = new Map(sources.map((settings) => [settings.name, JSON.stringify(settings)]))
    await Promise.all([...this.#running].flatMap(([name, { text }]) => (text === wanted.get(name) ? [] : [this.#stop(name)])))
    for (const settings of sources) if (!this.#running.has(settings.name) && !this.#stopped) await this.#start(settings)
    this.#deps.meter.sources([...this.#running.keys()])
  }

  /** For how long something has been waiting to be taken, by source. */
  lags(): [source: string, seconds: number][] {
    return [...this.#running].map(([name, { reader }]) => [name, reader.lagMs / 1000])
  }

  /** All at once: each commits what it has read, and resigns. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#running.keys()].map((name) => this.#stop(name)))
  }

  /** Only where there is a source its client of the database is loaded; nothing is connected before the first look. */
  async #start(settings: SourceSettings): Promise<void> {
    const { PostgresTable } = await import('./source/postgres-table.ts')
    if (this.#stopped) return
    const table = new PostgresTable(settings, this.#deps.clock, (detail) => this.#deps.journal.warn('source.warning', { source: settings.name, warning: detail }))
    const reader = new SourceReader({ ...this.#deps, settings, table })
    this.#running.set(settings.name, { text: JSON.stringify(settings), reader })
    reader.start()
  }

  async #stop(name: string): Promise<void> {
    await this.#running.get(name)?.reader.stop()
    this.#running.delete(name)
  }
}
