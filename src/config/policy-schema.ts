import { DURATION_PATTERN } from './units.ts'

/*
 * The three groups that stand under `defaults` and on a route. Their defaults hold under `defaults`; a field that a
 * route leaves out is taken from there.
 */

const DURATION = { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN } as const
/** a delay of some timer: node's timers end at 24.8 days */
const DELAY = { ...DURATION, formatMaximum: '24h' } as const
/** ten years: past it a number is a typing error, not a plan */
const SPAN = { ...DURATION, formatMinimum: '1s', formatMaximum: '3650d' } as const
const HEADERS = { type: 'array', uniqueItems: true, items: { type: 'string', format: 'header-name' } } as const
const STATUSES = { type: 'array', uniqueItems: true, items: { type: 'integer', minimum: 200, maximum: 599 } } as const

export const IDEMPOTENCY = {
  type: 'object',
  additionalProperties: false,
  description: 'What a request with an Idempotency-Key gets.',
  properties: {
    key: {
      enum: ['required', 'optional', 'ignored'], default: 'optional',
      description: '`required`: a request without a key is answered 400. `optional`: it is forwarded without protection. `ignored`: the route passes everything as it is; with `retry`, its deadline holds.',
    },
    retention: { ...SPAN, default: '24h', description: 'How long a completed key answers, counted from its first request. Doubts are never forgotten.' },
    retention_bounds: {
      type: 'object', additionalProperties: false, description: 'What a client may ask for instead, with Idempotency-TTL. `retention` lies within.',
      properties: {
        min: { ...SPAN, default: '1m', description: 'The least.' },
        max: { ...SPAN, default: '30d', description: 'The most.' },
      },
    },
    lease: {
      ...DELAY, formatMinimum: '3s', default: '60s',
      description: 'How long a key stays in flight after its process died; renewed at a third while it lives.',
    },
    scope: {
      enum: ['credential', 'none'], default: 'credential',
      description: 'Whose keys are told apart. `credential`: those of every set of credentials. `none`: nobody\'s; whoever knows a key is given its reply.',
    },
    credential_headers: { ...HEADERS, minItems: 1, default: ['authorization', 'x-api-key'], description: 'The headers that make a credential. It should live long: with another value the same key is another key.' },
    anonymous: {
      enum: ['refuse', 'share'], default: 'refuse',
      description: 'A keyed request without a credential. `refuse`: 400. `share`: all of them share one scope, and one is given the reply of another who sent the same key.',
    },
    in_flight: {
      anyOf: [{ const: 'reject' }, {
        type: 'object', additionalProperties: false, required: ['wait'],
        properties: { wait: { ...DELAY, formatMinimum: '1ms', description: 'The longest wait for the first one\'s reply.', examples: ['10s'] } },
      }],
      default: 'reject',
      description: 'A second request while the first runs. `reject`: 409 with Retry-After. `{wait: 10s}`: it waits for the first one\'s reply, and gets 409 after that time.',
    },
    when_unsure: {
      anyOf: [{ const: 'hold' }, {
        type: 'object', additionalProperties: false, required: ['resend'],
        properties: {
          resend: {
            type: 'object', additionalProperties: false, required: ['within'], description: 'Only where the upstream itself honours the forwarded key.',
            properties: {
              within: { ...SPAN, description: 'How long after the first sending it may be sent again: at most as long as the upstream remembers keys.', examples: ['24h'] },
              in_progress: { ...STATUSES, default: [409, 423, 425, 429], description: 'The statuses by which the upstream says that the first one still runs.' },
            },
          },
        },
      }],
      default: 'hold',
      description: 'After a request was sent and no answer came. `hold`: the key stays in doubt until somebody resolves it. `{resend: {within: 24h}}`: it is sent again.',
    },
    fingerprint: {
      type: 'object', additionalProperties: false, description: 'What makes two requests the same request: method, path and query, Content-Type and body always do.',
      properties: { headers: { ...HEADERS, default: [], description: 'Further headers that must be the same.' } },
    },
    unknown_status: { enum: [504, 409], default: 504, description: 'The status of the answer that nobody knows whether the operation ran. 409 for clients that take 504 for an invitation to try again under a new key.' },
    close_delimited: {
      enum: ['keep', 'stream'], default: 'stream',
      description: 'A reply without a length that ends when its connection closes, which looks the same complete and cut off. `stream`: delivered, not kept. `keep`: kept as if complete.',
    },
  },
} as const

export const RETRY = {
  type: 'object',
  additionalProperties: false,
  description: 'How long we try.',
  properties: {
    deadline: { ...DELAY, formatMinimum: '1ms', default: '30s', description: 'How long a client waits; then it is told that its request still runs. On a route that ignores keys, how long it waits for the first byte of the answer once its request was sent (504 `upstream-timeout`).' },
    linger: { ...DELAY, default: '5m', description: 'How long a request that was sent may go on after the deadline, so that its outcome can be recorded.' },
  },
} as const

export const STATUS = {
  type: 'object',
  additionalProperties: false,
  description: 'What the upstream means by a status, where it means something else than most. A status stands in one list at most.',
  properties: {
    final: { ...STATUSES, default: [], description: 'It is the answer; keep it.' },
    refused: { ...STATUSES, default: [], description: 'The upstream did nothing; the key is free again.' },
    lost: { ...STATUSES, default: [], description: 'Nobody knows what the upstream did; the key is in doubt.' },
  },
} as const
