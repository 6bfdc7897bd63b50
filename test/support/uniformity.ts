/*
 * Whether delays are spread as full jitter spreads them.
 */

/**
 * The Kolmogorov-Smirnov statistic of `samples` against the uniform distribution on [0, ceiling): the largest distance
 * between the two distribution functions.
 */
export function distanceFromUniform(samples: readonly number[], ceiling: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return Math.max(...sorted.map((sample, i) => {
    const expected = Math.min(1, Math.max(0, sample / ceiling))
    return Math.max((i + 1) / sorted.length - expected, expected - i / sorted.length)
  }))
}

/** Uniform samples are further away than this once in a thousand times (Kolmogorov's asymptotic distribution: sqrt(-ln(0.0005) / 2)). */
export function farthestOfUniform(count: number): number {
  return Math.sqrt(-Math.log(0.0005) / 2) / Math.sqrt(count)
}

/** Bins of `binMs` that hold more than `part` of all samples: delays without jitter stand up in a few of them. */
export function humps(samples: readonly number[], binMs: number, part: number): number[] {
  const bins = new Map<number, number>()
  for (const sample of samples) {
    const bin = Math.round(sample / binMs) * binMs
    bins.set(bin, (bins.get(bin) ?? 0) + 1)
  }
  return [...bins].filter(([, count]) => count > samples.length * part).map(([bin]) => bin).sort((a, b) => a - b)
}
