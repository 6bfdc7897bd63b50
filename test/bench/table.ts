import { median, type Round } from './rounds.ts'

/** What a case is held against: a share of another case's CPU or throughput, measured in the same run. */
export type Bar =
  | { readonly kind: 'cpu', readonly of: string, readonly atMost: number }
  | { readonly kind: 'throughput', readonly of: string, readonly atLeast: number }

export const YARDSTICK = 'bare http-proxy'

/** One line for each case, then one for each of its bars. False if a bar was missed or a request failed. */
export function print(results: ReadonlyMap<string, readonly Round[]>, bars: Readonly<Record<string, readonly Bar[]>>): boolean {
  const of = (name: string, kind: Bar['kind']): number => middle(results.get(name) ?? [], kind)
  let good = true
  write(['case', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/req', 'x bare'])
  for (const [name, rounds] of results) {
    const failed = rounds.reduce((sum, round) => sum + round.failed, 0)
    if (failed > 0) good = false
    const hasCpu = rounds.some((round) => round.cpuUs !== null)
    const p99s = rounds.flatMap(({ p99 }) => p99 ?? [])
    write([
      name, of(name, 'throughput').toFixed(0), median(rounds.map(({ p50 }) => p50)).toFixed(2), p99s.length > 0 ? median(p99s).toFixed(2) : '',
      hasCpu ? of(name, 'cpu').toFixed(1) : '', hasCpu && results.has(YARDSTICK) ? ratioOf('cpu', rounds, results.get(YARDSTICK) ?? []).toFixed(2) : '',
    ], failed > 0 ? `  ${failed} FAILED` : '')
  }
  for (const name of results.keys()) {
    for (const bar of bars[name] ?? []) {
      const ratio = ratioOf(bar.kind, results.get(name) ?? [], results.get(bar.of) ?? [])
      const met = bar.kind === 'cpu' ? ratio <= bar.atMost : ratio >= bar.atLeast
      if (!met) good = false
      const wanted = bar.kind === 'cpu' ? `at most ${bar.atMost}` : `at least ${bar.atLeast}`
      verdict(`${name}: ${bar.kind} ${ratio.toFixed(2)} x that of ${bar.of}`, wanted, met)
    }
  }
  return good
}

export function verdict(what: string, wanted: string, met: boolean): void {
  process.stdout.write(`${what} (bar: ${wanted}): ${met ? 'met' : 'MISSED'}\n`)
}

function middle(rounds: readonly Round[], kind: Bar['kind']): number {
  return median(measures(rounds, kind))
}

/** Round by round: those of one turn were measured within some seconds of one another. */
function ratioOf(kind: Bar['kind'], rounds: readonly Round[], others: readonly Round[]): number {
  const against = measures(others, kind)
  return median(measures(rounds, kind).map((measure, i) => measure / (against[i] ?? Number.NaN)))
}

function measures(rounds: readonly Round[], kind: Bar['kind']): number[] {
  return kind === 'throughput' ? rounds.map(({ perSecond }) => perSecond) : rounds.flatMap(({ cpuUs }) => cpuUs ?? [])
}

function write([name = '', ...cells]: readonly string[], remark = ''): void {
  process.stdout.write(`${name.padEnd(30)}${cells.map((cell) => cell.padStart(11)).join('')}${remark}\n`)
}
