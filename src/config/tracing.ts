import type { TracingSettings } from '../core/tracing-settings.ts'
import type { Config } from './config.ts'
import { defaultsOf, type Document } from './schema.ts'
import { LOG, TRACING } from './tracing-schema.ts'
import { parseDuration, parseShare } from './units.ts'

export function tracingOf(tracing: Document['tracing'], service: string): TracingSettings | null {
  if (tracing === undefined) return null
  const { sample, service_name: serviceName } = { ...defaultsOf(TRACING), ...tracing }
  const { url, headers = {}, timeout } = { ...defaultsOf(TRACING.properties.otlp), ...tracing.otlp }
  return { otlp: { url: withPath(url), headers, timeoutMs: proven(parseDuration(timeout)) }, ratio: proven(parseShare(sample)), serviceName, service }
}

export function logOf(written: Document['log']): Config['log'] {
  const { level, format, sample_successes: successes } = { ...defaultsOf(LOG), ...written }
  return { level, format, successes: proven(parseShare(successes)) }
}

function withPath(text: string): string {
  const url = new URL(text)
  return url.pathname === '/' ? `${url.origin}/v1/traces` : url.href
}

/** The schema has accepted the text with the same parser. */
function proven<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the schema accepted a value that its parser refuses')
  return value
}
