import type { Example, Family, Sample } from './family.ts'

/** Fine where a proxy on the same machine is: its own work takes some tenths of a millisecond. */
const BOUNDS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

interface Row {
  /** per bound, and one above the last; not added up */
  readonly counts: Float64Array
  readonly examples: (Example | null)[]
  sumS: number
}

/** Durations by one label, in buckets. To note one costs a look-up and two additions; whoever scrapes pays for the rest. */
export class Timings {
  readonly #name: string
  readonly #help: string
  readonly #label: string
  readonly #rows = new Map<string, Row>()

  constructor(name: `onceward_${string}_seconds`, help: string, label: string) {
    this.#name = name
    this.#help = help
    this.#label = label
  }

  /** These begin at 0; those that are there stay as they are. */
  begin(values: readonly string[]): void {
    for (const value of values) this.#row(value)
  }

  note(ms: number, value: string, traceId: string | null, wallMs: () => number): void {
    const row = this.#row(value)
    const seconds = ms / 1000
    let at = 0
    while (at < BOUNDS_S.length && seconds > (BOUNDS_S[at] ?? 0)) at += 1
    row.counts[at] = (row.counts[at] ?? 0) + 1
    row.sumS += seconds
    if (traceId !== null) row.examples[at] = { traceId, value: seconds, at: wallMs() / 1000 }
  }

  family(): Family {
    return { name: this.#name, help: this.#help, type: 'histogram', samples: [...this.#rows].flatMap(([value, row]) => this.#samples(value, row)) }
  }

  #samples(value: string, { counts, examples, sumS }: Row): Sample[] {
    let count = 0
    const labels = { [this.#label]: value }
    const buckets = [...counts].map((more, i): Sample => {
      count += more
      return { name: `${this.#name}_bucket`, labels: { ...labels, le: BOUNDS_S[i] ?? '+Inf' }, value: count, example: examples[i] ?? null }
    })
    return [...buckets, { name: `${this.#name}_sum`, labels, value: sumS, example: null }, { name: `${this.#name}_count`, labels, value: count, example: null }]
  }

  #row(value: string): Row {
    let row = this.#rows.get(value)
    if (row === undefined) {
      row = { counts: new Float64Array(BOUNDS_S.length + 1), examples: Array.from({ length: BOUNDS_S.length + 1 }, () => null), sumS: 0 }
      this.#rows.set(value, row)
    }
    return row
  }
}
