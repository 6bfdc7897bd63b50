import { DURATION_PATTERN, SHARE_PATTERN } from './units.ts'

/* `tracing` and `log`: what is told of single requests. */

const SHARE = { type: 'string', format: 'share-of-all', pattern: SHARE_PATTERN } as const

export const TRACING = {
  type: 'object', additionalProperties: false, required: ['otlp'], examples: ['{otlp: {url: "http://127.0.0.1:4318/v1/traces"}, sample: 10%}'],
  description: 'Traces of requests and deliveries, by OTLP over HTTP (docs/tracing.md). Without this group nothing is recorded, and the trace fields of clients travel as they were sent. Needs the optional packages of OpenTelemetry.',
  properties: {
    otlp: {
      type: 'object', additionalProperties: false, required: ['url'], description: 'The collector.',
      properties: {
        url: { type: 'string', format: 'traces-url', pattern: '^https?://', description: 'Where it takes traces. Without a path, `/v1/traces` is meant.', examples: ['http://127.0.0.1:4318/v1/traces'] },
        headers: {
          type: 'object', additionalProperties: { type: 'string', format: 'secret-header' }, examples: ['{api-key: "${COLLECTOR_KEY}"}'],
          description: 'Headers of every export. Their values are shown nowhere.',
        },
        timeout: { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN, formatMinimum: '100ms', formatMaximum: '60s', default: '5s', description: 'Longest time for one export, its repetitions included; then its spans are dropped and counted.' },
      },
    },
    sample: { ...SHARE, default: '10%', description: 'Of the traces that begin here, the share that is recorded. A trace that a client sends is recorded if the client says that it is sampled.' },
    service_name: { type: 'string', format: 'service-name', pattern: '^[A-Za-z0-9._-]{1,64}$', default: 'onceward', description: 'The `service.name` of the spans. `service` stands beside it as `onceward.service`.' },
  },
} as const

export const LOG = {
  type: 'object', additionalProperties: false, description: 'Lines on standard output.',
  properties: {
    level: { enum: ['debug', 'info', 'warn', 'error', 'silent'], default: 'info', description: 'The least that is written.' },
    format: { enum: ['auto', 'json', 'pretty'], default: 'auto', description: '`json`: one object a line. `pretty`: for people. `auto`: `pretty` on a terminal, else `json`.' },
    sample_successes: { ...SHARE, default: '100%', description: 'Of the lines of requests, executions and deliveries that went as they should at the first attempt, the share that is written; all lines of one trace or none. Everything else is always written: doubts, refusals, errors, retries.' },
  },
} as const
