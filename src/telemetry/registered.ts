import type { Registry } from 'prom-client'
import type { Family, FamilyType } from './family.ts'

/** What is registered with prom-client, in its order; gauges that are read at scrape are read now. */
export async function familiesOf(registry: Registry): Promise<readonly Family[]> {
  const told = await registry.getMetricsAsJSON()
  return told.map(({ name, help, type, values }) => ({
    name, help, type: typeOf(type),
    samples: values.map((value) => ({ name: nameOf(value) ?? name, labels: presentOf(value.labels), value: value.value, example: null })),
  }))
}

/** Its types have a number here, where it has the word. */
function typeOf(type: unknown): FamilyType {
  if (type === 'counter' || type === 'gauge' || type === 'histogram' || type === 'summary') return type
  throw new Error('prom-client has metrics of another type')
}

/** Its types do not know that the samples of histograms have names of their own. */
function nameOf(value: object): string | null {
  return 'metricName' in value && typeof value.metricName === 'string' ? value.metricName : null
}

function presentOf(labels: Partial<Record<string, string | number>>): Record<string, string | number> {
  return Object.fromEntries(Object.entries(labels).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}
