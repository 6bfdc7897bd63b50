import { DURATION_PATTERN } from './units.ts'

/* `sinks`: where events go. Each has one receiver, and how it is treated. */

const DELAY = { type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN, formatMaximum: '24h' } as const
const TIMEOUT = { ...DELAY, formatMinimum: '100ms', formatMaximum: '10m' } as const
const KAFKA_NAME = { type: 'string', format: 'kafka-name', pattern: '^[A-Za-z0-9._-]{1,249}$' } as const
const SECRET = { type: 'string', format: 'secret-text', minLength: 1 } as const
const WEBHOOK_URL = { type: 'string', format: 'webhook-url', pattern: '^https?://' } as const

const WEBHOOK = {
  type: 'object', additionalProperties: false, required: ['url'], examples: ['{url: https://hooks.example.com/onceward}'],
  description: 'Each event as one POST, as Standard Webhooks has it.',
  properties: {
    url: {
      anyOf: [WEBHOOK_URL, {
        type: 'object', additionalProperties: false, required: ['plain_http'], examples: ['{plain_http: "http://hooks.internal/onceward"}'],
        properties: { plain_http: { ...WEBHOOK_URL, description: 'A URL that need not be https, because the network between is safe.', examples: ['http://hooks.internal/onceward'] } },
      }],
      description: 'Where events are posted: https, or http to this machine or to an address that `allow` has. It may have a password in it, and is shown nowhere. Redirects are not followed.',
      examples: ['https://hooks.example.com/onceward'],
    },
    secrets: {
      type: 'array', uniqueItems: true, maxItems: 8, items: { type: 'string', format: 'webhook-secret' }, default: [],
      description: 'Keys that sign, each `whsec_` with 24 to 64 bytes in base64, from variables. Every one of them signs, so that receivers can change over from one to the next. Without any, nothing is signed.',
    },
    timeout: { ...TIMEOUT, default: '15s', description: 'Longest time for one delivery, connecting included.' },
    allow: {
      type: 'array', uniqueItems: true, items: { type: 'string', format: 'network' }, default: [],
      description: 'Addresses and networks inside (private, loopback, link-local) that may be delivered to. All others are refused, whatever name leads to them.',
    },
    headers: {
      type: 'object', additionalProperties: { type: 'string', format: 'secret-header' }, examples: ['{x-api-key: "${HOOK_KEY}"}'],
      description: 'Further headers of every delivery. Their values are shown nowhere.',
    },
  },
} as const

const KAFKA = {
  type: 'object', additionalProperties: false, required: ['brokers', 'topic'], examples: ['{brokers: [broker:9092], topic: charges}'],
  description: 'A topic of Kafka; the lane is the key. Needs the optional package @platformatic/kafka.',
  properties: {
    brokers: { type: 'array', minItems: 1, maxItems: 64, uniqueItems: true, items: { type: 'string', format: 'broker-address' }, description: 'Brokers to begin with, such as `[broker-1:9092, broker-2:9092]`.' },
    topic: { ...KAFKA_NAME, description: 'The topic. It is not made here.', examples: ['charges'] },
    transactional_id: { ...KAFKA_NAME, description: 'Publishes in transactions under this name, which one sink has alone: who reads only what is committed gets each event once. Without it, an idempotent producer: an event may come again after a crash.' },
    tls: {
      anyOf: [{ const: true }, {
        type: 'object', additionalProperties: false, required: ['ca_file'],
        properties: { ca_file: { type: 'string', minLength: 1, description: 'The certificates (PEM) that may have signed those of the brokers. Read with the configuration.', examples: ['/etc/kafka/ca.pem'] } },
      }],
      description: 'Encrypted connections: `true` with the certificates that node trusts, or `{ca_file: ...}`. Without it, plain text.',
    },
    sasl: {
      type: 'object', additionalProperties: false, required: ['mechanism', 'username', 'password'], description: 'How the sink says who it is; without it, it does not.',
      properties: {
        mechanism: { enum: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], description: 'The mechanism.', examples: ['SCRAM-SHA-512'] },
        username: { ...SECRET, description: 'The name.', examples: ['onceward'] },
        password: { ...SECRET, description: 'The password, from a variable.', examples: ['${KAFKA_PASSWORD}'] },
      },
    },
    timeout: { ...TIMEOUT, default: '30s', description: 'Longest time for one batch.' },
  },
} as const

const SQS = {
  type: 'object', additionalProperties: false, required: ['queue_url', 'region'], examples: ['{queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/charges.fifo", region: eu-central-1}'],
  description: 'A FIFO queue of Amazon SQS; the lane is the message group. Needs the optional package @aws-sdk/client-sqs.',
  properties: {
    queue_url: { type: 'string', format: 'fifo-queue-url', pattern: '^https?://.*\\.fifo$', description: 'The URL of the queue, which ends in `.fifo`.', examples: ['https://sqs.eu-central-1.amazonaws.com/123456789012/charges.fifo'] },
    region: { type: 'string', format: 'aws-region', pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$', description: 'Its region.', examples: ['eu-central-1'] },
    endpoint: { type: 'string', format: 'service-origin', pattern: '^https?://', description: 'The service, if it is not that of AWS in the region.' },
    credentials: {
      type: 'object', additionalProperties: false, required: ['access_key_id', 'secret_access_key'], description: 'Who the sink is. Without it, what the AWS SDK finds by itself: environment, profile, role of the pod or machine.',
      properties: {
        access_key_id: { ...SECRET, description: 'The id of the key.', examples: ['${AWS_KEY_ID}'] },
        secret_access_key: { ...SECRET, description: 'The key, from a variable.', examples: ['${AWS_KEY}'] },
        session_token: { ...SECRET, description: 'The token of a session, if the key belongs to one.' },
      },
    },
    timeout: { ...TIMEOUT, default: '15s', description: 'Longest time for one batch.' },
  },
} as const

export const SINK = {
  type: 'object', additionalProperties: false, examples: ['{webhook: {url: https://hooks.example.com/onceward}}'],
  properties: {
    webhook: WEBHOOK,
    kafka: KAFKA,
    sqs: SQS,
    attempts: { type: 'integer', minimum: 1, maximum: 1000, default: 10, description: 'Deliveries that an event has before it is a dead letter, the first one included. Those that failed because the whole sink does are not counted.' },
    base: { ...DELAY, formatMinimum: '1ms', formatMaximum: '1h', default: '1s', description: 'The delay before the second delivery is a random one between 0 and this; the ceiling doubles with every further one. What the receiver asks for (Retry-After) comes on top.' },
    cap: { ...DELAY, formatMinimum: '1ms', default: '5m', description: 'The highest ceiling.' },
    dead_letters: { enum: ['block', 'skip'], default: 'block', description: 'What a dead letter does to its lane. `block`: nothing of the lane leaves until somebody has dealt with it. `skip`: the next event leaves, so the order has a gap.' },
    lanes: { type: 'integer', minimum: 1, maximum: 10_000, default: 256, description: 'Lanes under way at one time.' },
    concurrency: { type: 'integer', minimum: 1, maximum: 1024, description: 'Calls to the receiver at one time. Without it 64 for a webhook, 16 for SQS, 1 for Kafka.' },
    batch: { type: 'integer', minimum: 1, maximum: 10_000, description: 'Events of one call at most: 1 for a webhook, at most 10 for SQS, 1000 for Kafka unless it says otherwise.' },
    lease: { ...DELAY, formatMinimum: '1s', formatMaximum: '10m', default: '10s', description: 'How long a process that died keeps others from delivering in its place.' },
    catch_up: {
      type: 'object', additionalProperties: false, description: 'How the events of an outage are delivered once it is over: in a steady stream instead of a flood.',
      properties: {
        above: { ...DELAY, formatMinimum: '100ms', default: '10s', description: 'Age of the oldest event past which deliveries are paced.' },
        rate: { type: 'integer', minimum: 1, maximum: 1_000_000, default: 500, description: 'Events a second then, or 1.5 times those that arrive, if that is more.' },
        ramp: { ...DELAY, formatMaximum: '10m', default: '10s', description: 'How long the rate takes to rise to that, from a tenth of it.' },
      },
    },
  },
} as const
