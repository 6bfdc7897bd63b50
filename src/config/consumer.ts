import { createSecretKey } from 'node:crypto'
import { AMBIGUOUS } from '../core/attempt.ts'
import type { SignaturePolicy } from '../core/webhook-signature.ts'
import { CONSUMER } from './consumer-schema.ts'
import { defaultsOf, type Document, type Draft } from './schema.ts'
import { parseWebhookSecret } from './secret.ts'
import { parseDuration } from './units.ts'

/*
 * What `consumer` on a route says, as the fields that could be written there one by one. They stand between the route's
 * own, which win, and the file's defaults.
 */

type Groups = NonNullable<Document['defaults']>
type GroupsDraft = NonNullable<Draft['defaults']>
type Route = NonNullable<Document['routes']>[number]
type RouteDraft = NonNullable<Draft['routes']>[number]
type Written = NonNullable<RouteDraft['consumer']>

/** Standard Webhooks has senders retry for 75 hours, Stripe for three days; this leaves time for somebody to have an event sent again by hand. */
const RETENTION = '14d'

/** Statuses that leave a doubt by themselves. */
const DOUBTS: readonly number[] = [...AMBIGUOUS]

export function presetOf({ consumer, idempotency, status }: Pick<RouteDraft, 'consumer' | 'idempotency' | 'status'>): Groups {
  if (consumer === undefined) return {}
  const signed = isSigned(consumer)
  const retention = idempotency?.retention ?? RETENTION
  const own = new Set([...status?.final ?? [], ...status?.lost ?? []])
  return {
    idempotency: {
      key: 'required',
      key_from: keyPlaceOf(consumer),
      retention,
      // An Idempotency-TTL is not signed: whoever is first with a delivery must not have its id forgotten soon.
      ...(idempotency?.retention_bounds === undefined ? { retention_bounds: { min: retention, max: retention } } : {}),
      ...(signed ? { scope: 'route' as const } : {}),
      fingerprint: fingerprintOf(consumer),
    },
    // The sender sends again, for days: a loop of ours within each of its tries would multiply the two.
    retry: { attempts: 1 },
    // "Anything but 2xx" is "not handled, send it again". A gateway's 502 says so only where anybody could have provoked it:
    // there a doubt would keep the genuine event out.
    status: { final: [], refused: signed ? [] : DOUBTS.filter((code) => !own.has(code)), lost: [], otherwise: 'refused' },
  }
}

/** What holds on a route where it says nothing itself. */
export function beneath(defaults: Groups, route: Parameters<typeof presetOf>[0]): Groups
export function beneath(defaults: GroupsDraft, route: Parameters<typeof presetOf>[0]): GroupsDraft
export function beneath(defaults: GroupsDraft, route: Parameters<typeof presetOf>[0]): GroupsDraft {
  const { idempotency, retry, status } = presetOf(route)
  if (idempotency === undefined) return defaults
  const { retention_bounds: bounds, fingerprint } = { ...defaults.idempotency, ...idempotency }
  return {
    ...defaults,
    idempotency: {
      ...defaults.idempotency, ...idempotency,
      retention_bounds: { ...defaults.idempotency?.retention_bounds, ...bounds },
      fingerprint: { ...defaults.idempotency?.fingerprint, ...fingerprint },
    },
    retry: { ...defaults.retry, ...retry },
    status: { ...defaults.status, ...status },
  }
}

/** Whether a route enforces, by what it says itself or what holds where it says nothing. */
export function modeOf(route: Parameters<typeof presetOf>[0] & GroupsDraft, { defaults }: { readonly defaults?: GroupsDraft | undefined }): 'enforce' | 'shadow' | undefined {
  return route.idempotency?.mode ?? beneath(defaults ?? {}, route).idempotency?.mode
}

export function isSigned(consumer: Written): boolean {
  return typeof consumer !== 'string' && consumer.key_from === undefined
}

/** Who the sender is for what has the same shape with and without secrets. */
function senderOf(consumer: Written): 'standard-webhooks' | 'cloudevents' | 'stripe' | 'other' {
  if (typeof consumer === 'string') return consumer
  if (consumer.standard_webhooks !== undefined) return 'standard-webhooks'
  return consumer.stripe === undefined ? 'other' : 'stripe'
}

function keyPlaceOf(consumer: Written): NonNullable<NonNullable<Groups['idempotency']>['key_from']> {
  const sender = senderOf(consumer)
  switch (sender) {
    case 'standard-webhooks': return { header: 'webhook-id' }
    case 'cloudevents': return 'cloudevents'
    case 'stripe': return { pointer: '/id' }
    case 'other': return typeof consumer === 'string' ? 'none' : placeOf(consumer.key_from)
    default: return sender satisfies never
  }
}

/** A draft may have lost what was refused; the schema accepts no file without it. */
function placeOf(place: Exclude<Written, string>['key_from']): NonNullable<NonNullable<Groups['idempotency']>['key_from']> {
  const { header, headers, pointer } = place ?? {}
  return { ...(header === undefined ? {} : { header }), ...(headers === undefined ? {} : { headers: headers.filter((name) => name !== undefined) }), ...(pointer === undefined ? {} : { pointer }) }
}

/** Stripe counts in each event how many endpoints have not taken it yet, so that a redelivery has another number there. */
function fingerprintOf(consumer: Written): NonNullable<NonNullable<Groups['idempotency']>['fingerprint']> {
  return senderOf(consumer) === 'stripe' ? { mode: 'json', exclude: ['/pending_webhooks'] } : { mode: 'raw', exclude: [] }
}

/** Null where nothing is verified. */
export function signatureOf(consumer: Route['consumer']): SignaturePolicy | null {
  if (consumer === undefined || typeof consumer === 'string') return null
  const { properties } = CONSUMER.anyOf[1]
  if (consumer.standard_webhooks !== undefined) {
    const { secrets, tolerance } = { ...defaultsOf(properties.standard_webhooks), ...consumer.standard_webhooks }
    return { scheme: 'standard-webhooks', secrets: secrets.map((text) => createSecretKey(proven(parseWebhookSecret(text)))), toleranceMs: proven(parseDuration(tolerance)) }
  }
  if (consumer.stripe === undefined) return null
  const { secrets, tolerance } = { ...defaultsOf(properties.stripe), ...consumer.stripe }
  // all of the text is the key, the word in front of it included
  return { scheme: 'stripe', secrets: secrets.map((text) => createSecretKey(text, 'utf8')), toleranceMs: proven(parseDuration(tolerance)) }
}

/** As it may be shown: how many secrets there are, and none of them. */
export function shownConsumer(consumer: NonNullable<Route['consumer']>): unknown {
  return JSON.parse(JSON.stringify(consumer, (name, value: unknown) => (name === 'secrets' && Array.isArray(value) ? value.map(() => 'not shown') : value)))
}

/** One sentence for every route that takes anybody's word for an event. */
export function consumerWarnings(routes: readonly Route[]): string[] {
  return routes.filter(({ consumer }) => consumer !== undefined && !isSigned(consumer)).map(({ name }) => (
    `the route ${name} verifies no signature: whoever reaches it can send an event under any id, and one that the receiver takes keeps the genuine one out`
  ))
}

/** The schema has accepted the text with the same parser; if not, it is a bug and not a mistake of the file. */
function proven<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the schema accepted a value that its parser refuses')
  return value
}
