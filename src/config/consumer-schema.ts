import { KEY_PLACE } from './policy-schema.ts'
import { DURATION_PATTERN } from './units.ts'

/* `consumer`: a route in front of a receiver of webhooks, by who sends them. consumer.ts says what follows from it. */

const TOLERANCE = {
  type: 'string', format: 'duration-with-unit', pattern: DURATION_PATTERN, formatMinimum: '1s', formatMaximum: '1h', default: '5m',
  description: 'How far the signed time of a delivery may be from ours, to either side. What somebody recorded is good for so long.',
} as const

const SECRETS = { type: 'array', uniqueItems: true, minItems: 1, maxItems: 8 } as const

export const CONSUMER = {
  anyOf: [{ enum: ['standard-webhooks', 'cloudevents', 'stripe'] }, {
    type: 'object', additionalProperties: false, minProperties: 1, maxProperties: 1, examples: ['{standard_webhooks: {secrets: ["${WEBHOOK_SECRET}"]}}'],
    properties: {
      standard_webhooks: {
        type: 'object', additionalProperties: false, required: ['secrets'], examples: ['{secrets: ["${WEBHOOK_SECRET}"]}'],
        description: 'As `standard-webhooks`, and `webhook-signature` is verified before anything is claimed: 401 `signature-invalid`.',
        properties: {
          secrets: { ...SECRETS, items: { type: 'string', format: 'webhook-secret' }, examples: ['["${WEBHOOK_SECRET}"]'], description: 'Keys of the sender, each `whsec_` with 24 to 64 bytes in base64, from variables. Several while they change over: each proves the sender.' },
          tolerance: TOLERANCE,
        },
      },
      stripe: {
        type: 'object', additionalProperties: false, required: ['secrets'], examples: ['{secrets: ["${STRIPE_SECRET}"]}'],
        description: 'As `stripe`, and `Stripe-Signature` is verified before anything is claimed: 401 `signature-invalid`.',
        properties: {
          secrets: { ...SECRETS, items: { type: 'string', format: 'stripe-secret' }, examples: ['["${STRIPE_SECRET}"]'], description: 'Signing secrets of the endpoint as Stripe shows them (`whsec_...`), from variables. Several while they change over.' },
          tolerance: TOLERANCE,
        },
      },
      key_from: { ...KEY_PLACE, description: 'Any other sender: where its events have their id. No Idempotency-Key is looked at beside it.' },
    },
  }],
  description: 'The route stands in front of a receiver of webhooks: each event is handled once (docs/consumer.md). The key is `webhook-id` (`standard-webhooks`), source and id (`cloudevents`) or `/id` of the body (`stripe`), it is required and kept for 14 days, and only 2xx counts as handled. Whoever verifies no signature says `idempotency.scope`. What the route says itself wins.',
} as const
