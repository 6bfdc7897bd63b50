import { Webhook } from 'standardwebhooks'
import { Stripe } from 'stripe'

/* Deliveries as other people's libraries sign them. */

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
export const STRIPE_SECRET = 'whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH'

const stripe = new Stripe('sk_test_none')

/** Signed as if it were sent `secondsAgo`. */
export function standardHeaders(id: string, body: string, { secret = WEBHOOK_SECRET, secondsAgo = 0 } = {}): string[] {
  const at = Math.floor(Date.now() / 1000) - secondsAgo
  return ['content-type', 'application/json', 'webhook-id', id, 'webhook-timestamp', String(at), 'webhook-signature', new Webhook(secret).sign(id, new Date(at * 1000), body)]
}

export function stripeHeaders(body: string, { secret = STRIPE_SECRET, secondsAgo = 0 } = {}): string[] {
  const timestamp = Math.floor(Date.now() / 1000) - secondsAgo
  return ['content-type', 'application/json', 'stripe-signature', stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp })]
}
