import type { Counter } from 'prom-client'

interface Sum {
  readonly values: readonly string[]
  sum: number
}

/** One level per label: names that are there already find their sum without a new string for all of them. */
type Branch = Map<string, Branch | Sum>

/** Sums by label values. An addition costs a look-up per label; prom-client sees them when it is scraped. */
export class Table {
  readonly #root: Branch = new Map()
  readonly #sums: Sum[] = []

  add(count: number, ...values: string[]): void {
    this.#at(values).sum += count
  }

  pourInto(counter: Counter, labels: readonly string[]): void {
    counter.reset()
    for (const { values, sum } of this.#sums) counter.inc(Object.fromEntries(labels.map((label, i) => [label, values[i] ?? ''])), sum)
  }

  #at(values: readonly string[]): Sum {
    let at: Branch | Sum = this.#root
    for (let i = 0; i < values.length && at instanceof Map; i += 1) {
      const value = values[i] ?? ''
      const branch: Branch = at
      let next = branch.get(value)
      if (next === undefined) {
        next = i < values.length - 1 ? new Map<string, Branch | Sum>() : { values, sum: 0 }
        if (!(next instanceof Map)) this.#sums.push(next)
        branch.set(value, next)
      }
      at = next
    }
    if (at instanceof Map) throw new Error('a sum needs all of its labels')
    return at
  }
}
