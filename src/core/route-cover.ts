import type { PathPattern } from './path.ts'
import type { Conditions } from './route.ts'

/*
 * Which requests two routes have in common, told from their conditions alone. Both answers are safe ones where the
 * conditions leave it open: `covers` says no, `overlaps` says yes.
 */

/** True if every request that `later` is for is one that `earlier` is for, too. */
export function covers(earlier: Conditions, later: Conditions): boolean {
  return coversMethods(earlier.methods, later.methods)
    && (earlier.host === null || (later.host !== null && coversHost(earlier.host, later.host)))
    && coversPath(earlier.path, later.path)
    && earlier.headers.every(({ name, value }) => later.headers.some((other) => other.name === name && (value === null || value === other.value)))
}

/** False only if no request can be one for both. */
export function overlaps(one: Conditions, other: Conditions): boolean {
  return overlapMethods(one.methods, other.methods)
    && (one.host === null || other.host === null || coversHost(one.host, other.host) || coversHost(other.host, one.host))
    && overlapPaths(one.path, other.path)
    && !one.headers.some(({ name, value }) => other.headers.some((against) => against.name === name && value !== null && against.value !== null && against.value !== value))
}

function coversMethods(earlier: Conditions['methods'], later: Conditions['methods']): boolean {
  return earlier === null || (later !== null && [...later].every((method) => earlier.has(method)))
}

function overlapMethods(one: Conditions['methods'], other: Conditions['methods']): boolean {
  return one === null || other === null || [...one].some((method) => other.has(method))
}

function coversHost(earlier: string, later: string): boolean {
  return earlier === later || (earlier.startsWith('*.') && !later.startsWith('*.') && later.slice(later.indexOf('.')) === earlier.slice(1))
}

function coversPath(earlier: PathPattern, later: PathPattern): boolean {
  for (const [i, expected] of earlier.entries()) {
    if (isRest(earlier, i)) return true
    const segment = later[i]
    if (segment === undefined || isRest(later, i)) return false
    if (expected !== segment && !expected.startsWith(':')) return false
  }
  return earlier.length === later.length
}

function overlapPaths(one: PathPattern, other: PathPattern): boolean {
  for (let i = 0; ; i += 1) {
    if (isRest(one, i) || isRest(other, i)) return true
    const [a, b] = [one[i], other[i]]
    if (a === undefined || b === undefined) return a === b
    if (a !== b && !a.startsWith(':') && !b.startsWith(':')) return false
  }
}

function isRest(pattern: PathPattern, i: number): boolean {
  return i === pattern.length - 1 && pattern[i] === '*'
}
