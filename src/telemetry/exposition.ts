import type { Example, Family, Sample } from './family.ts'

/*
 * Families as text, in the two formats that Prometheus reads: its own of version 0.0.4, and OpenMetrics 1.0, which has examples. A series has
 * the same name and labels in both, so that a change of the format changes no history:
 *
 *   - the bounds of buckets are written alike (`le="1"`, where OpenMetrics would rather have "1.0");
 *   - a counter whose name does not end with `_total` is of type `unknown` in OpenMetrics, which would have it renamed.
 */

export type Format = 'prometheus' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

const TOTAL = '_total'

/** The format that this Accept field likes better; Prometheus's own where it likes both alike, or says nothing (RFC 9110 section 12.5.1). */
export function formatFor(accept: string | undefined): Format {
  const ranges = (accept ?? '').split(',').map(readRange)
  const open = liking(ranges, 'application/openmetrics-text')
  return open > 0 && open > liking(ranges, 'text/plain') ? 'openmetrics' : 'prometheus'
}

interface Range {
  readonly type: string
  /** none: whichever */
  readonly version: string | null
  /** 0 to 1 */
  readonly weight: number
}

function readRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const read = new Map(parameters.map((parameter): [string, string] => {
    const [name = '', value = ''] = parameter.split('=', 2).map((part) => part.trim())
    return [name, value.replace(/^"(.*)"$/, '$1')]
  }))
  const weight = Number(read.get('q') ?? 1)
  return { type, version: read.get('version') ?? null, weight: weight >= 0 && weight <= 1 ? weight : 0 }
}

/** The narrowest range that has the type counts; a version that we do not write is none. */
function liking(ranges: readonly Range[], type: 'application/openmetrics-text' | 'text/plain'): number {
  const versions = type === 'text/plain' ? ['0.0.4'] : ['1.0.0', '0.0.1']
  const written = ranges.filter(({ version }) => version === null || versions.includes(version))
  for (const wanted of [type, `${type.split('/', 1)[0] ?? ''}/*`, '*/*']) {
    const weights = written.filter((range) => range.type === wanted).map(({ weight }) => weight)
    if (weights.length > 0) return Math.max(...weights)
  }
  return 0
}

export function textOf(families: readonly Family[], format: Format): string {
  const text = families.map((family) => familyText(family, format)).join('')
  return format === 'openmetrics' ? `${text}# EOF\n` : text
}

function familyText({ name, help, type, samples }: Family, format: Format): string {
  const open = format === 'openmetrics'
  const renamed = type === 'counter' && !name.endsWith(TOTAL)
  // OpenMetrics has the suffix of a counter on its samples alone.
  const family = open && type === 'counter' && !renamed ? name.slice(0, -TOTAL.length) : name
  const lines = [`# HELP ${family} ${escaped(help, open)}`, `# TYPE ${family} ${open && renamed ? 'unknown' : type}`]
  // nothing but a counter or a bucket may have an example
  const examples = open && !renamed && (type === 'counter' || type === 'histogram')
  return [...lines, ...samples.map((sample) => sampleText(sample, examples)), ''].join('\n')
}

function sampleText({ name, labels, value, example }: Sample, examples: boolean): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text), true)}"`)
  const series = pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
  return `${series} ${numberText(value)}${examples && example !== null ? exampleText(example) : ''}`
}

function exampleText({ traceId, value, at }: Example): string {
  return ` # {trace_id="${traceId}"} ${numberText(value)} ${at.toFixed(3)}`
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}

/** Quotes are escaped in labels, and in OpenMetrics in helps, too. */
function escaped(text: string, quotes: boolean): string {
  const safe = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return quotes ? safe.replaceAll('"', '\\"') : safe
}
