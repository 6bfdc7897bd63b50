import type { Asking } from '../client.ts'

/* How long clients waited for answers, while all was well and during each fault. */

interface Waited {
  readonly at: number
  readonly tookMs: number
}

export class Latencies {
  readonly #waited: Waited[] = []

  readonly note = ({ heard, tookMs }: Asking): void => {
    if (heard.kind === 'answer') this.#waited.push({ at: performance.now(), tookMs })
  }

  /** What was answered between two moments; null if nothing was. */
  between(from: number, to: number): { readonly count: number, readonly p50: number, readonly p99: number, readonly longest: number } | null {
    const sorted = this.#waited.filter(({ at }) => at >= from && at < to).map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return sorted.length === 0 ? null : { count: sorted.length, p50: at(0.5), p99: at(0.99), longest: at(1) }
  }

  /** One line: what a fault added to what was usual before. */
  line(what: string, usual: readonly [number, number], during: readonly [number, number]): string {
    const [before, then] = [this.between(...usual), this.between(...during)]
    if (before === null || then === null) return `${what}: nobody was answered`
    const text = (ms: number): string => `${ms < 0 ? '' : '+'}${ms.toFixed(1)} ms`
    return `${what}: ${then.count} answers, p50 ${then.p50.toFixed(1)} ms (${text(then.p50 - before.p50)}), p99 ${then.p99.toFixed(1)} ms (${text(then.p99 - before.p99)}), longest ${then.longest.toFixed(0)} ms`
  }
}
