import type { XStatic } from 'typebox/schema'
import { CONSUMER } from './consumer-schema.ts'
import { ASYNC, OPERATIONS } from './operations-schema.ts'
import { OUTBOX } from './outbox-schema.ts'
import { CORS, IDEMPOTENCY, RETRY, STATUS } from './policy-schema.ts'
import { SINK } from './sinks-schema.ts'
import { SOURCES } from './sources-schema.ts'
import { LOG, TRACING } from './tracing-schema.ts'
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts'

/*
 * The one schema of the configuration: TypeBox derives the types from it, ajv validates with it (load.ts), and
 * test/support/write-config-reference.ts writes config/schema.json and the table in docs/configuration.md.
 *
 * It is plain JSON Schema, and TypeBox is imported for its types alone: its builder costs 10 MB of resident memory
 * in a process that should need 125, ajv nothing more, because fastify has it in memory anyway. `format`,
 * `formatMinimum` and `formatMaximum` are ours, see formats.ts; `pattern` says the same to an editor.
 */

const SIZE = { type: 'string', format: 'size-with-unit', pattern: SIZE_PATTERN, formatMinimum: '1B' } as const
/** a delay of some timer: node's timers end at 24.8 days */
const DELAY = { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN, formatMaximum: '24h' } as const
const METHOD = { type: 'string', format: 'http-method', pattern: '^[A-Z][A-Z-]*$' } as const

const POSTGRES_URL = { type: 'string', format: 'postgres-url', pattern: '^postgres(ql)?://' } as const
const REDIS_URL = { type: 'string', format: 'redis-url', pattern: '^rediss?(\\+sentinel|\\+cluster)?://' } as const

const MATCH = {
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  description: 'Which requests the route is for. The first route that matches decides.',
  properties: {
    method: {
      anyOf: [METHOD, { type: 'array', items: METHOD, minItems: 1, uniqueItems: true }],
      description: 'One method or a list of them; without it, every method.',
    },
    path: {
      type: 'string', format: 'path-pattern', pattern: '^/',
      description: 'The path: segments as they are, `:name` for any one segment, `*` as the last segment for all that follows (or nothing). Compared with the normalised path, without the query.',
    },
    host: { type: 'string', format: 'host-name', description: 'The Host that was asked for, without its port; `*.example.com` for any one label in front; without it, every host.' },
    headers: {
      type: 'object', additionalProperties: { type: 'string', format: 'header-match' }, examples: ['{x-version: "2"}'],
      description: 'Headers that the request must have: the exact value, or `"*"` for any. A request that sends such a header with two values, or names it in Connection, is answered 400.',
    },
  },
} as const

const ROUTE = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'match'],
  properties: {
    name: {
      type: 'string', format: 'route-name', pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
      description: 'The name in metrics and logs. Unique; not `default` or `pass-through`, which are the fallback routes. Keys do not depend on it, so it may change.',
    },
    match: MATCH,
    pass: { const: true, description: 'Forward these requests as they are: no keys, nothing held. Such a route has none of `consumer`, `idempotency`, `retry`, `status`, `async` and `outbox`.' },
    consumer: CONSUMER,
    idempotency: IDEMPOTENCY,
    retry: RETRY,
    status: STATUS,
    cors: CORS,
    async: ASYNC,
    outbox: OUTBOX,
  },
} as const

const BUDGET = {
  type: 'object', additionalProperties: false, description: 'How many retries there may be (docs/retries.md).',
  properties: {
    ratio: { type: 'number', minimum: 0, maximum: 10, default: 0.2, description: 'Retries for each first attempt.' },
    min_per_second: { type: 'integer', minimum: 0, maximum: 100_000, default: 10, description: 'Retries that there may be anyway.' },
    window: { ...DELAY, formatMinimum: '1s', formatMaximum: '10m', default: '10s', description: 'How long what was not used is kept, and what was used is remembered.' },
    shared: { type: 'boolean', default: false, description: 'One budget for all processes of the service, through `store.redis`. Without Redis, and while it is in trouble, each process has its share.' },
    max_in_flight: { type: 'integer', minimum: 1, maximum: 100_000, default: 256, description: 'Most retries of one process at one time, those that wait for their turn included.' },
  },
} as const

const BREAKER = {
  type: 'object', additionalProperties: false, description: 'Leaves an upstream alone that fails: requests with a key are then answered 503 `upstream-resting` before anything is claimed, and so are those of routes with `retry.methods`. Without this group there is none.',
  properties: {
    ratio: { type: 'number', minimum: 0.01, maximum: 1, default: 0.5, description: 'The part of all attempts that must have failed.' },
    min_attempts: { type: 'integer', minimum: 1, maximum: 1_000_000, default: 20, description: 'Fewer attempts than so many within the window prove nothing.' },
    window: { ...DELAY, formatMinimum: '1s', formatMaximum: '10m', default: '10s', description: 'How long an attempt counts.' },
    pause: { ...DELAY, formatMinimum: '100ms', formatMaximum: '10m', default: '5s', description: 'How long nothing is sent; then one request finds out, and another after each further pause until one gets through.' },
  },
} as const

export const SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Configuration of Onceward',
  type: 'object',
  additionalProperties: false,
  required: ['upstream'],
  properties: {
    service: {
      type: 'string', format: 'service-name', pattern: '^[A-Za-z0-9._-]{1,64}$', default: 'default',
      description: 'Whose keys these are. Two services may be sent the same key by one caller; another name here frees every key that was used before.',
    },
    listen: { type: 'string', format: 'listen-address', default: '127.0.0.1:8080', description: 'Where clients connect. Port 0 takes any free one.' },
    upstream: { type: 'string', format: 'http-origin', pattern: '^https?://', description: 'The service behind. Paths and queries travel as sent.' },
    upstream_host: {
      enum: ['preserve', 'origin'], default: 'preserve',
      description: 'The Host that the upstream sees. `preserve`: the client\'s, which signatures and links are made with. `origin`: the host and port of `upstream`.',
    },
    trust: {
      type: 'object', additionalProperties: false, description: 'Whose word is taken for where a request came from.',
      properties: {
        proxies: {
          type: 'array', uniqueItems: true, items: { type: 'string', format: 'network' }, default: [],
          description: 'Addresses and networks of the proxies in front. What they say in Forwarded and X-Forwarded-* is kept and continued; from anybody else it is removed.',
        },
        forwarded: {
          enum: ['when-sent', 'always'], default: 'when-sent',
          description: 'Whether the upstream gets Forwarded (RFC 7239) besides X-Forwarded-For, -Host and -Proto. `when-sent`: where the request had one.',
        },
      },
    },
    admin: {
      type: 'object', additionalProperties: false, description: 'Operations, health and metrics.',
      properties: {
        listen: { type: 'string', format: 'listen-address', default: '127.0.0.1:9901', description: 'Where operators connect. An address that others reach takes `tokens`.' },
        tokens: {
          type: 'array', maxItems: 64,
          items: {
            type: 'object', additionalProperties: false, required: ['name', 'token'],
            properties: {
              name: { type: 'string', format: 'operator-name', pattern: '^[A-Za-z0-9._@-]{1,64}$', description: 'Who has the token: stands in the audit trail beside what was changed with it.' },
              token: { type: 'string', format: 'operator-token', pattern: '^[A-Za-z0-9._~+/=-]{24,512}$', description: 'What stands behind `Bearer` in Authorization, such as `openssl rand -base64 32` makes; from a variable: `${ALICE_TOKEN}`.' },
            },
          },
          description: 'Who may use the admin API. Without any, everybody may who reaches its address, which must be a loopback address then. Metrics and health need none.',
        },
      },
    },
    store: {
      type: 'object', additionalProperties: false, description: 'Where keys are kept.',
      properties: {
        data_dir: { type: 'string', minLength: 1, default: './data', description: 'The directory of the embedded store, on a disk that survives the process. Relative to the working directory.' },
        embedded: { const: 'single-instance', description: 'Says that exactly one process runs, where the embedded store would be refused otherwise: in Kubernetes.' },
        postgres: {
          anyOf: [POSTGRES_URL, {
            type: 'object', additionalProperties: false, required: ['url'], examples: ['{url: "postgres://onceward@db.internal/onceward", connections: 8}'],
            properties: {
              url: { ...POSTGRES_URL, description: 'As above.' },
              connections: { type: 'integer', minimum: 1, maximum: 64, default: 4, description: 'Connections of one process, apart from one for LISTEN. They carry batches: with 4 of them one of claims and one of completions at a time, with 8 two, which is of use where a commit takes long.' },
              deadline: { ...DELAY, formatMinimum: '100ms', formatMaximum: '60s', default: '5s', description: 'Longest time for one call of the store, the wait for a synchronous standby included; past it nobody knows whether it was done, and it is asked again.' },
              prepare: { const: false, description: 'No named statements, and one statement at a time on a connection: needed behind PgBouncer in transaction mode.' },
              schema: { type: 'string', format: 'sql-schema', pattern: '^[a-z][a-z0-9_]{0,47}$', default: 'onceward', description: 'The schema of the tables.' },
              partitions: { type: 'integer', minimum: 1, maximum: 1024, default: 1, description: 'Hash partitions of the table of keys, for hundreds of millions of them. Looked at when the table is made, and never again.' },
              migrate: { enum: ['at_start', 'by_hand'], default: 'at_start', description: 'Who makes and changes the tables: every start, or `onceward migrate`, where the account of the sidecar may not.' },
              durability: { enum: ['replicated', 'local', 'none'], default: 'replicated', description: 'What a server must promise, or the start is refused. `replicated`: commits are on disk, and if there are standbys, on one of them too. `local`: on its own disk; a failover may lose keys, which then run again. `none`: nothing, for tests.' },
            },
          }],
          description: 'The Postgres (14 or newer) that holds the keys, for any number of processes; a secret, so best as `${DATABASE_URL}`. Or the same with its own fields. `postgres://user:password@host:5432/database?sslmode=verify-full`; with several hosts, separated by commas, the one that takes writes is used. Without it keys are in the embedded store.',
        },
        redis: {
          anyOf: [REDIS_URL, {
            type: 'object', additionalProperties: false, required: ['url'], examples: ['{url: redis://127.0.0.1:6379, keep: 1h}'],
            properties: {
              url: { ...REDIS_URL, description: 'As above.' },
              ca_file: { type: 'string', minLength: 1, description: 'The certificates (PEM) that may have signed those of the servers, with `rediss://`; without it, those that node trusts.' },
              keep: { ...DELAY, formatMinimum: '1s', formatMaximum: '365d', default: '24h', description: 'Longest time that a reply stays in Redis; never longer than its retention.' },
              timeout: { ...DELAY, formatMinimum: '1ms', formatMaximum: '1s', default: '50ms', description: 'Longest wait for Redis; past it the authority is asked, and Redis is left alone until it answers again.' },
            },
          }],
          description: 'A Redis that remembers completed replies for all processes, or the same with its own fields. `redis://user:password@host:6379/0`, `redis+sentinel://host:26379,host/master-name`, `redis+cluster://host,host`; `rediss` for TLS. It decides nothing: losing, flushing or switching it costs time only.',
        },
        sealing: {
          type: 'object', additionalProperties: false, required: ['keys'], description: 'Seals stored replies (AES-256-GCM), in the store and in Redis.',
          properties: {
            keys: {
              type: 'array', minItems: 1, maxItems: 16,
              items: {
                type: 'object', additionalProperties: false, required: ['id', 'secret'],
                properties: {
                  id: { type: 'string', format: 'sealing-key-id', pattern: '^[A-Za-z0-9._-]{1,32}$', description: 'The name of the key, which is stored with what it sealed.' },
                  secret: { type: 'string', format: 'sealing-secret', description: '32 random bytes in base64, such as `openssl rand -base64 32` makes; from a variable: `${SEALING_KEY}`.' },
                },
              },
              description: 'The first key seals, all of them open. Put a new one in front, and take the old one out when the longest retention is over: what no key opens is answered 503.',
            },
          },
        },
      },
    },
    limits: {
      type: 'object', additionalProperties: false, description: 'What one process holds and waits for.',
      properties: {
        request_body: { ...SIZE, formatMaximum: '1GiB', default: '8MiB', description: 'Largest body of a request with a key; a larger one is answered 413.' },
        kept_reply: { ...SIZE, formatMaximum: '256MiB', default: '1MiB', description: 'Largest reply body that is kept for replay; a larger one is delivered once, and its key completes without it.' },
        held_bodies: { ...SIZE, formatMaximum: '64GiB', default: '64MiB', description: 'All bodies held at one time; beyond it requests with keys are answered 503 before anything is sent.' },
        upstream_connections: { type: 'integer', minimum: 1, maximum: 65535, default: 256, description: 'Most connections to the upstream: so many for routes with keys or `retry` (requests without a key share them), and so many again for what passes. Websockets come on top.' },
        socket_wait: { ...DELAY, formatMinimum: '1ms', default: '5s', description: 'Longest wait for one of these connections; past it nothing was sent.' },
        connect_timeout: { ...DELAY, formatMinimum: '1ms', default: '5s', description: 'Longest time to open a connection, TLS included.' },
        header_bytes: { ...SIZE, formatMinimum: '256B', formatMaximum: '1MiB', default: '16KiB', description: 'Largest header section, names and values with 4 bytes for each line; a larger one is answered 431. As much as node reads, so that a service behind can read what is let through.' },
        header_count: { type: 'integer', minimum: 8, maximum: 10_000, default: 100, description: 'Most header fields of a request; more are answered 431, and none is dropped. The default of Apache, too; browsers send about 20.' },
        target_bytes: { ...SIZE, formatMinimum: '16B', formatMaximum: '1MiB', default: '8KiB', description: 'Longest path with its query; a longer one is answered 414. RFC 9112 asks for 8000 at least.' },
        header_time: { ...DELAY, formatMinimum: '100ms', default: '10s', description: 'Longest time from a connection, or from the first byte of a later request, to the end of its head; past it 408. Enough for three lost packets in a row.' },
        body_time: { ...DELAY, formatMinimum: '10ms', default: '30s', description: 'Longest time for the body of a request with a key, all of it; past it 408, and nothing was sent. 8 MiB in it take 2.3 Mbit/s.' },
        idle_time: { ...DELAY, formatMinimum: '100ms', default: '65s', description: 'Longest silence of a client: between two requests, within the body of a request that is passed on (408), or in reading a reply. Longer than the 60 s of most load balancers, so that they close first.' },
        connections: { type: 'integer', minimum: 1, maximum: 1_000_000, default: 10_000, description: 'Most connections of clients; one more is answered 503 at its first request and closed.' },
        event_loop_delay: { ...DELAY, formatMinimum: '1ms', default: '200ms', description: 'Delay of the event loop (mean over a second, without the worst turn) past which requests without a key are answered 503; those with a key past twice of it. A load that the process can bear keeps it below a tenth of that.' },
      },
    },
    shutdown: {
      type: 'object', additionalProperties: false, description: 'What happens after SIGTERM.',
      properties: {
        grace: { ...DELAY, default: '25s', description: 'How long requests that were sent may still end. Keep it below the 30 s after which Kubernetes kills.' },
      },
    },
    log: LOG,
    tracing: TRACING,
    budgets: {
      type: 'object', additionalProperties: BUDGET, properties: { default: BUDGET },
      description: 'Budgets for retries by name; a route says with `retry.budget` which one it takes from. `default` is always there. A further name has the same fields.',
    },
    breaker: BREAKER,
    sinks: {
      type: 'object', additionalProperties: SINK, examples: ['{payments: {webhook: {url: https://hooks.example.com/onceward}}}'],
      description: 'Where events go, by name; a route says with `outbox.sink` which one it means. Each has exactly one of `webhook`, `kafka` and `sqs`. `operations` is the name of our own.',
    },
    outbox: SOURCES,
    operations: OPERATIONS,
    accept: {
      type: 'array', uniqueItems: true, items: { enum: ['frees-old-keys'] }, default: [],
      description: '`frees-old-keys`: lets a start or a reload change the service, a scope or a key source although keys that were used before are then not found any more, and run again when they are retried. Take it out afterwards.',
    },
    defaults: {
      type: 'object', additionalProperties: false,
      description: 'What holds on every route that does not say otherwise, field by field, and on the fallback route for POST and PATCH.',
      properties: { idempotency: IDEMPOTENCY, retry: RETRY, status: STATUS, cors: CORS },
    },
    routes: {
      type: 'array', items: ROUTE, default: [],
      description: 'Routes in order. Behind them always stand two fallbacks: `default` (POST and PATCH, with the defaults) and `pass-through` (everything else, as it is).',
    },
  },
} as const

/** A file that the schema accepts, as it was written. */
export type Document = XStatic<typeof SCHEMA>

/** A file of which some values were refused and taken out: whatever is present is right. */
export type Draft = Sparse<Document>

type Sparse<T> = T extends readonly unknown[] ? { readonly [I in keyof T]: Sparse<T[I]> } : T extends object ? { readonly [K in keyof T]?: Sparse<T[K]> } : T

/** The fields of a group that have a default, with it. */
export function defaultsOf<P extends object>(group: { readonly properties: P }): Defaults<P>
export function defaultsOf(group: { readonly properties: Readonly<Record<string, object>> }): object {
  return Object.fromEntries(Object.entries(group.properties).flatMap(([name, field]) => ('default' in field ? [[name, field.default]] : [])))
}

type Defaults<P> = { readonly [K in keyof P as P[K] extends { readonly default: unknown } ? K : never]: P[K] extends { readonly default: infer D } ? D : never }
