/*
 * Durations and sizes always carry their unit: `retention: 24` reads as hours to one and as seconds to another, and
 * the difference is a key that is forgotten while its client still retries. Whole numbers and one unit: `90m`, not
 * `1.5h` or `1h30m`. Sizes count in bytes and powers of 1024; KB and MB mean 1000 to some and 1024 to others, so
 * they are refused.
 */

const MILLISECONDS = new Map([['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000], ['d', 86_400_000]])
const BYTES = new Map([['B', 1], ['KiB', 1024], ['MiB', 1024 ** 2], ['GiB', 1024 ** 3]])

/** For the JSON Schema, so that an editor marks what we would refuse. */
export const DURATION_PATTERN = '^[0-9]{1,12}(ms|s|m|h|d)$'
export const SHARE_PATTERN = '^[0-9]{1,3}(\\.[0-9]{1,4})?%$'
export const SIZE_PATTERN = '^[0-9]{1,12}(B|KiB|MiB|GiB)$'

/** Milliseconds, or undefined for anything but a whole number with one of the units ms, s, m, h, d. */
export function parseDuration(text: string): number | undefined {
  return quantity(text, MILLISECONDS)
}

/** Bytes, or undefined for anything but a whole number with one of the units B, KiB, MiB, GiB. */
export function parseSize(text: string): number | undefined {
  return quantity(text, BYTES)
}

/** `10%` as 0.1, or undefined for anything but a number of percent from 0 to 100 with at most four decimals. */
export function parseShare(text: string): number | undefined {
  const [, percent] = /^([0-9]{1,3}(?:\.[0-9]{1,4})?)%$/.exec(text) ?? []
  return percent === undefined || Number(percent) > 100 ? undefined : Number(percent) / 100
}

/** What somebody who wrote `5 min` or `1w` probably meant; a number alone can be any of three. Empty if nothing is near. */
export function nearDurations(text: string): string[] {
  const [count, unit] = split(text)
  if (count === undefined) return []
  if (unit === '') return [`${count}s`, `${count}m`, `${count}h`]
  if (/^w(eeks?)?$/.test(unit)) return [`${Number(count) * 7}d`]
  const short = [['ms', /^(ms|msecs?|millis(econds?)?)$/], ['s', /^(s|secs?|seconds?)$/], ['m', /^(m|mins?|minutes?)$/], ['h', /^(h|hrs?|hours?)$/], ['d', /^(d|days?)$/]] as const
  return short.filter(([, words]) => words.test(unit)).map(([right]) => `${count}${right}`)
}

/** What somebody who wrote `1024`, `8MB` or `8 mib` probably meant. */
export function nearSizes(text: string): string[] {
  const [count, unit] = split(text)
  if (count === undefined) return []
  const short = [['B', /^(b|bytes?)?$/], ['KiB', /^k(i?b)?$/], ['MiB', /^m(i?b)?$/], ['GiB', /^g(i?b)?$/]] as const
  return short.filter(([, words]) => words.test(unit)).map(([right]) => `${count}${right}`)
}

/** The shortest way of writing it: 5400000 is `90m`. */
export function durationText(ms: number): string {
  const [unit, factor] = [...MILLISECONDS].findLast(([, candidate]) => ms >= candidate && ms % candidate === 0) ?? ['ms', 1]
  return `${ms / factor}${unit}`
}

function quantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const [, count, unit] = /^([0-9]{1,12})([A-Za-z]+)$/.exec(text) ?? []
  const factor = units.get(unit ?? '')
  return factor === undefined ? undefined : Number(count) * factor
}

function split(text: string): [string | undefined, string] {
  const [, count, unit = ''] = /^\s*([0-9]{1,12})\s*([A-Za-z]*)\s*$/.exec(text) ?? []
  return [count, unit.toLowerCase()]
}
