import { Counter, Gauge, type Registry } from 'prom-client'
import type { Gap, Position } from '../core/source.ts'
import type { RowEnd, SourceMeter } from '../core/source-ports.ts'
import { Table } from './table.ts'

const ENDS: readonly RowEnd[] = ['taken', 'late', 'unbuilt']
const STATES = { 'reading': 1, 'in-trouble': 0, 'following': 2 } as const

/** What the readers of applications' own outbox tables count. */
export class SourceMetrics implements SourceMeter {
  readonly #rows = new Table()
  readonly #passed = new Table()
  readonly #state: Gauge
  readonly #position: Gauge
  readonly #gaps: Gauge
  readonly #held: Gauge
  readonly #known = new Set<string>()

  constructor(registry: Registry) {
    const [rows, passed] = [this.#rows, this.#passed]
    registry.registerMetric(new Counter({
      name: 'onceward_source_rows_total', help: 'Rows of applications\' outbox tables by what became of them: events, events after their number had been missing, dead letters from the beginning.', labelNames: ['source', 'outcome'], registers: [],
      collect() { rows.pourInto(this, ['source', 'outcome']) },
    }))
    registry.registerMetric(new Counter({
      name: 'onceward_source_passed_gaps_total', help: 'Gaps of missing numbers that were passed because `hold` was over, although a transaction that may fill them still ran.', labelNames: ['source'], registers: [],
      collect() { passed.pourInto(this, ['source']) },
    }))
    const registers = [registry]
    this.#state = new Gauge({ name: 'onceward_source_state', help: 'Whether the table is read: 0 not, for trouble with it or with the store, 1 by this process, 2 by another one.', labelNames: ['source'], registers })
    this.#position = new Gauge({ name: 'onceward_source_position', help: 'Rows up to this number were taken, apart from those that are missing; where this process reads.', labelNames: ['source'], registers })
    this.#gaps = new Gauge({ name: 'onceward_source_gaps', help: 'Gaps of missing numbers below the position that are still looked for.', labelNames: ['source'], registers })
    this.#held = new Gauge({ name: 'onceward_source_held_gaps', help: 'Gaps of missing numbers that hold up the rows above them.', labelNames: ['source'], registers })
  }

  sources(names: readonly string[]): void {
    for (const source of names.filter((name) => !this.#known.has(name))) {
      this.#known.add(source)
      for (const outcome of ENDS) this.#rows.add(0, source, outcome)
      this.#passed.add(0, source)
      for (const gauge of [this.#state, this.#gaps, this.#held]) gauge.set({ source }, 0)
    }
  }

  brought(source: string, end: RowEnd, rows: number): void {
    this.#rows.add(rows, source, end)
  }

  passed(source: string, gaps: number): void {
    this.#passed.add(gaps, source)
  }

  stands(source: string, { position, held }: { readonly position: Position, readonly held: readonly Gap[] }): void {
    this.#position.set({ source }, Number(position.cursor))
    this.#gaps.set({ source }, position.gaps.length)
    this.#held.set({ source }, held.length)
  }

  reads(source: string, how: keyof typeof STATES): void {
    this.#state.set({ source }, STATES[how])
  }
}
