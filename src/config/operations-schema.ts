import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts'

/* `async` on a route and `operations`: requests that are stored first and executed afterwards. */

const DELAY = { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN, formatMaximum: '24h' } as const

export const ASYNC = {
  enum: ['allowed', 'always'],
  description: 'Whether requests with a key are accepted (202) and executed afterwards (docs/async.md). `allowed`: those with `Prefer: respond-async`. `always`: all of them, so `idempotency.key` is `required`. Without it none are. What is stored holds credentials, so it needs `store.sealing`.',
} as const

export const OPERATIONS = {
  type: 'object', additionalProperties: false, description: 'How accepted requests are executed, on all routes with `async`.',
  properties: {
    concurrency: { type: 'integer', minimum: 1, maximum: 1024, default: 16, description: 'Most of them that are executed at one time, by the one process that leads.' },
    attempts: { type: 'integer', minimum: 1, maximum: 1000, default: 10, description: 'Executions that may end without an effect before a request is a dead letter, the first one included. Those that failed because the upstream is not there are not counted.' },
    base: { ...DELAY, formatMinimum: '1ms', formatMaximum: '1h', default: '1s', description: 'The delay before the second execution is a random one between 0 and this; the ceiling doubles with every further one. What the upstream asks for (Retry-After) comes on top.' },
    cap: { ...DELAY, formatMinimum: '1ms', default: '5m', description: 'The highest ceiling.' },
    lease: { ...DELAY, formatMinimum: '1s', formatMaximum: '10m', default: '30s', description: 'How long a process that died keeps others from executing in its place.' },
    quota: { type: 'integer', minimum: 1, maximum: 1_000_000, default: 1000, description: 'Most requests of one identity that may wait; one more is answered 429.' },
    request_body: { type: 'string', format: 'size-with-unit', pattern: SIZE_PATTERN, formatMinimum: '1B', formatMaximum: '8MiB', default: '1MiB', description: 'Largest body of a request that is accepted; a larger one is answered 413. `limits.request_body` holds, too.' },
    longest_wait: { ...DELAY, formatMaximum: '10m', default: '60s', description: 'Longest time that a client may wait for its reply with `Prefer: wait=N`.' },
  },
} as const
