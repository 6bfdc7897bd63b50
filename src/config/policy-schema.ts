import { PROBE } from './probe-schema.ts'
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts'

/*
 * The groups that stand under `defaults` and on a route. Their defaults hold under `defaults`; a field that a
 * route leaves out is taken from there.
 */

const DURATION = { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN } as const
/** a delay of some timer: node's timers end at 24.8 days */
const DELAY = { ...DURATION, formatMaximum: '24h' } as const
/** ten years: past it a number is a typing error, not a plan */
const SPAN = { ...DURATION, formatMinimum: '1s', formatMaximum: '3650d' } as const
const HEADERS = { type: 'array', uniqueItems: true, items: { type: 'string', format: 'header-name' } } as const
const POINTER = { type: 'string', format: 'json-pointer', pattern: '^/' } as const
const STATUSES = { type: 'array', uniqueItems: true, items: { type: 'integer', minimum: 200, maximum: 599 } } as const

const HEADER_SCOPE = {
  type: 'string', format: 'header-name',
  description: 'The header that names who asks. Only where a gateway in front sets it and drops what clients send: whoever can set it is given the replies of whomever it names.',
} as const

const JWT_SCOPE = {
  type: 'object', additionalProperties: false, required: ['claim', 'jwks'], examples: ['{claim: sub, jwks: https://id.example.com/keys}'],
  description: 'Who asks, by a bearer token whose signature is verified.',
  properties: {
    claim: { type: 'string', minLength: 1, description: 'The claim that names who asks, such as `sub`; with a slash in front a JSON pointer, such as `/realm/tenant`.', examples: ['sub'] },
    jwks: {
      anyOf: [{ type: 'string', format: 'https-url', pattern: '^https?://' }, {
        type: 'object', additionalProperties: false, minProperties: 1, maxProperties: 1, examples: ['{file: keys.json}'],
        properties: {
          file: { type: 'string', minLength: 1, description: 'A file with the keys, read again every ten minutes. Relative to the working directory.' },
          plain_http: { type: 'string', format: 'http-url', pattern: '^https?://', description: 'A URL that need not be https, because the network between is safe: who can change the keys on their way can be anybody.' },
        },
      }],
      description: 'Where the issuer publishes its keys (RFC 7517): an https URL, or http on this machine.',
      examples: ['https://id.example.com/keys'],
    },
    issuer: { type: 'string', minLength: 1, description: 'The `iss` that a token must have. Say it wherever the issuer has one name.' },
    audience: { type: 'string', minLength: 1, description: 'A value that must be among the token\'s `aud`.' },
  },
} as const

/** A place of a request that has its key; also where `consumer` finds it. */
export const KEY_PLACE = {
  type: 'object', additionalProperties: false, minProperties: 1, maxProperties: 1, examples: ['{header: webhook-id}'],
  properties: {
    header: { type: 'string', format: 'header-name', description: 'A header whose value is the key, such as `webhook-id`.' },
    headers: { ...HEADERS, minItems: 2, description: 'Headers whose values make the key together, such as `[ce-source, ce-id]`. A request has all of them or none.' },
    pointer: { ...POINTER, description: 'A JSON pointer (RFC 6901) to a text or an integer of the body, such as `/id`. Only where a key is `required`.' },
  },
} as const

export const IDEMPOTENCY = {
  type: 'object',
  additionalProperties: false,
  description: 'What a request with an Idempotency-Key gets.',
  properties: {
    key: {
      enum: ['required', 'optional', 'ignored'], default: 'optional',
      description: '`required`: a request without a key is answered 400. `optional`: it is forwarded without protection. `ignored`: the route passes everything as it is; with `retry`, its deadline holds.',
    },
    mode: {
      enum: ['enforce', 'shadow'], default: 'enforce',
      description: '`shadow`: everything passes as it is, once, with or without a key, and what `enforce` would have done is only counted (docs/shadow.md). Nothing is protected meanwhile. Not beside `async` and `outbox`.',
    },
    key_from: {
      anyOf: [{ enum: ['none', 'cloudevents'] }, KEY_PLACE],
      description: 'Where the key is if there is no Idempotency-Key; without it, nowhere else. `cloudevents`: source and id of a CloudEvent, in its headers or in its body; only where a key is `required`. See docs/keys.md.',
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
      anyOf: [{ enum: ['credential', 'none', 'route'] }, {
        type: 'object', additionalProperties: false, minProperties: 1, maxProperties: 1,
        examples: ['{header: x-tenant-id}'],
        properties: { header: HEADER_SCOPE, jwt: JWT_SCOPE },
      }],
      default: 'credential',
      description: 'Whose keys are told apart (docs/identities.md). `credential`: those of every set of credentials. `{header: x-tenant-id}`: of every value of a header that a gateway sets. `{jwt: {claim: sub, jwks: https://...}}`: of every value of a claim, in a bearer token that is verified. `none`: nobody\'s; whoever knows a key is given its reply. `route`: the same, but keys of this route are none of another one; its name is part of them.',
    },
    credential_headers: {
      type: 'array', uniqueItems: true, items: { type: 'string', format: 'credential-header' }, minItems: 1, default: ['authorization', 'x-api-key'],
      description: 'The headers that make a credential, and `cookie:NAME` for one cookie. It should live long: with another value the same key is another key.',
    },
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
        type: 'object', additionalProperties: false, minProperties: 1, maxProperties: 1, examples: ['{resend: {within: 24h}}'],
        properties: {
          probe: PROBE,
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
      description: 'After a request was sent and no answer came. `hold`: the key stays in doubt until somebody resolves it. `{resend: {within: 24h}}`: it is sent again. `{probe: {...}}`: the upstream is asked whether it ran (docs/retries.md#probe).',
    },
    fingerprint: {
      type: 'object', additionalProperties: false, description: 'What makes two requests the same request: method, path and query, Content-Type and body always do.',
      properties: {
        mode: {
          enum: ['raw', 'json'], default: 'raw',
          description: 'How bodies are compared. `raw`: byte for byte. `json`: JSON by its data, whatever the order of its members, its spaces and its way of writing numbers.',
        },
        headers: { ...HEADERS, default: [], description: 'Further headers that must be the same.' },
        exclude: {
          type: 'array', uniqueItems: true, maxItems: 64, items: POINTER, default: [],
          description: 'JSON pointers (RFC 6901) to what may differ in a body, such as `/sent_at`. Only with `mode: json`.',
        },
      },
    },
    store_outage: {
      enum: ['closed', 'open'], default: 'closed',
      description: 'What becomes of a request with a key while the key store is gone. `closed`: 503 `store-unavailable`, and nothing is sent. `open`: it is sent once WITHOUT ANY PROTECTION, so a retry of it may run twice; its reply says `Idempotency-Unprotected: true`. See docs/guarantees.md before writing `open`.',
    },
    claim_within: {
      ...DELAY, formatMinimum: '1ms', default: '5s',
      description: 'How long the key store may take to say whether a request may run; past it the store counts as gone. `retry.deadline` bounds it, too.',
    },
    unknown_status: { enum: [504, 409], default: 504, description: 'The status of the answer that nobody knows whether the operation ran. 409 for clients that take 504 for an invitation to try again under a new key.' },
    close_delimited: {
      enum: ['keep', 'stream'], default: 'stream',
      description: 'A reply without a length that ends when its connection closes, which looks the same complete and cut off. `stream`: delivered, not kept. `keep`: kept as if complete.',
    },
  },
} as const

const DEADLINE_HEADER = {
  type: 'object', additionalProperties: false, required: ['header', 'form'],
  properties: {
    header: { type: 'string', format: 'header-name', description: 'Its name.', examples: ['x-envoy-expected-rq-timeout-ms'] },
    form: { enum: ['ms', 's', 'grpc'], description: 'How it is written: whole milliseconds, seconds, or as grpc-timeout is (`2500m`).', examples: ['ms'] },
  },
} as const

export const RETRY = {
  type: 'object',
  additionalProperties: false,
  description: 'How long we try, and how often. What is safe to send again, and what never is: docs/retries.md.',
  properties: {
    attempts: { type: 'integer', minimum: 1, maximum: 10, default: 4, description: 'How often a request is sent at most; the first time counts. Asking again about a request that the upstream still works on (`in_progress`) does not.' },
    base: { ...DELAY, formatMinimum: '1ms', default: '50ms', description: 'The delay before the first retry is a random one between 0 and this; the ceiling doubles with every further retry. A Retry-After comes on top.' },
    cap: { ...DELAY, formatMinimum: '1ms', default: '2s', description: 'The highest ceiling.' },
    jitter: { enum: ['full', 'equal', 'decorrelated', 'none'], default: 'full', description: 'How delays are spread. All but `full` are there to be compared with it; `none` sends all who failed together back together.' },
    per_try_timeout: { ...DELAY, formatMinimum: '1ms', description: 'How long one attempt may take where another one may follow, so only where repeating it does no harm even if it has run. The last attempt has all the time that is left.' },
    budget: { type: 'string', format: 'budget-name', pattern: '^[a-z0-9][a-z0-9-]{0,62}$', default: 'default', description: 'The budget, by its name under `budgets`, that retries are paid from.' },
    deadline: { ...DELAY, formatMinimum: '1ms', default: '30s', description: 'How long a client waits; then it is told that its request still runs. No retry begins after it. On a route that ignores keys, how long it waits for the first byte of the answer once its request was sent (504 `upstream-timeout`).' },
    deadline_from: { ...DEADLINE_HEADER, examples: ['{header: x-envoy-expected-rq-timeout-ms, form: ms}'], description: 'A header by which a client may say that it waits less long than `deadline`.' },
    deadline_to: { ...DEADLINE_HEADER, examples: ['{header: grpc-timeout, form: grpc}'], description: 'A header that tells the upstream with each attempt how long anybody still waits; without it, the one of `deadline_from`, if there is one.' },
    linger: { ...DELAY, default: '5m', description: 'How long a request that was sent may go on after the deadline, so that its outcome can be recorded.' },
    methods: {
      type: 'array', uniqueItems: true, items: { enum: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'] }, default: [],
      description: 'Only on a route that ignores keys: the methods whose requests are sent again, even after one that may have run. Requests with a key need no such list.',
    },
    body: { type: 'string', format: 'size-with-unit', pattern: SIZE_PATTERN, formatMaximum: '64MiB', default: '64KiB', description: 'Only on a route that ignores keys: the largest body that is held to be sent again. A larger one, and one without a length, is sent once.' },
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
    otherwise: { enum: ['final', 'refused'], default: 'final', description: 'What a status from 300 on means that stands in no list and has no meaning of its own (docs/guarantees.md). `refused`: nothing but 2xx is an answer.' },
    refused_by: { ...HEADERS, default: [], description: 'Headers of an error reply that prove that the upstream did not get the request, such as `x-envoy-overloaded`. Only those that clients and services cannot be made to echo.' },
  },
} as const

export const CORS = {
  type: 'object',
  additionalProperties: false,
  description: 'Which web pages may read the replies that are ours (errors such as 409 and 422). What the upstream answers, preflights included, passes as it is.',
  properties: {
    origins: { type: 'array', uniqueItems: true, items: { type: 'string', format: 'web-origin' }, default: [], description: 'Origins such as https://shop.example.com, compared exactly.' },
  },
} as const
