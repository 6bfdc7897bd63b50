/* `outbox`: the events that leave with a route's completions. */

const CLASSES = ['2xx', '3xx', '4xx', '5xx', 'any'] as const
const STATUS = { type: 'integer', minimum: 200, maximum: 599 } as const

const EVENT = {
  type: 'object', additionalProperties: false, required: ['sink', 'type'], examples: ['{sink: payments, type: charge.created}'],
  properties: {
    on: {
      anyOf: [{ enum: CLASSES }, STATUS, { type: 'array', minItems: 1, uniqueItems: true, items: { anyOf: [{ enum: CLASSES }, STATUS] } }],
      default: '2xx', description: 'The statuses of a kept reply that bring this event: a class, a status, or a list such as `[2xx, 409]`. What is released or in doubt brings none.',
    },
    sink: { type: 'string', format: 'sink-name', pattern: '^[a-z0-9][a-z0-9-]{0,62}$', description: 'Where it goes, by its name under `sinks`.', examples: ['payments'] },
    type: { type: 'string', format: 'event-type', pattern: '^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$', description: 'The CloudEvents `type`: what happened, in words with dots between them.', examples: ['charge.created'] },
    lane: {
      type: 'string', format: 'event-template', minLength: 1, default: '{operation}',
      description: 'Events of one lane leave in the order in which they were committed. `{operation}`: each in a lane of its own, so in no order. `{body:/customer}`: one lane for each customer. At most 1 KiB, without control characters.',
    },
    data: {
      type: 'object', examples: ['{id: "{reply:/id}", amount: "{body:/amount}"}'],
      description: 'What the event says: fields, groups and lists, with `{key}`, `{identity}`, `{operation}`, `{route}`, `{status}`, `{header:name}`, `{body:/json/pointer}`, `{reply:/json/pointer}` and `{reply-header:name}` in their texts. A text that is one place and nothing else becomes what stands there, with its JSON type. Without it: the body of the reply.',
    },
  },
} as const

export const OUTBOX = {
  anyOf: [EVENT, { type: 'array', minItems: 1, maxItems: 16, items: EVENT }],
  description: 'The event that each completion of the route brings, or a list of them: committed with the key\'s record, and delivered at least once (docs/outbox.md).',
} as const
