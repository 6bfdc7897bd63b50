import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto'
import { connectionNames, valuesOf, type Fields } from './headers.ts'

/*
 * Who sent a webhook, as two schemes prove it. Both sign the body's bytes together with the time of this delivery, so a
 * delivery that somebody recorded is good for the tolerance and no longer, and a redelivery by its sender has a time and
 * a signature of its own.
 */

/** Several secrets while they change over; each proves the sender. As key objects they are written out by nothing. */
export interface SignaturePolicy {
  readonly scheme: 'standard-webhooks' | 'stripe'
  readonly secrets: readonly KeyObject[]
  /** how far the signed time may be from ours, to either side */
  readonly toleranceMs: number
}

export type SignatureVerdict =
  | { readonly kind: 'genuine' }
  /** says nothing of the secrets, and nothing that was sent */
  | { readonly kind: 'invalid', readonly detail: string }

export function verifySignature(fields: Fields, body: Uint8Array, policy: SignaturePolicy, wallMs: number): SignatureVerdict {
  switch (policy.scheme) {
    case 'standard-webhooks': return verifyStandard(fields, body, policy, wallMs)
    case 'stripe': return verifyStripe(fields, body, policy, wallMs)
    default: return policy.scheme satisfies never
  }
}

/** Standard Webhooks 1.0.0: the `v1` signature, base64 of HMAC-SHA256 over `id.timestamp.body`. */
export function standardSignature(secret: KeyObject, id: string, timestamp: string, body: Uint8Array): string {
  return createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64')
}

/** 32 bytes, as each scheme writes them. */
const [BASE64_LENGTH, HEX_LENGTH] = [44, 64]

const STANDARD = { id: 'webhook-id', timestamp: 'webhook-timestamp', signature: 'webhook-signature' } as const

/**
 * `webhook-signature` is a list of `version,signature` with spaces between; versions other than v1 are passed over. An id
 * with a dot is refused, as the specification asks of senders: `a.1.2` could be the id `a.1` or the time 1.
 */
function verifyStandard(fields: Fields, body: Uint8Array, { secrets, toleranceMs }: SignaturePolicy, wallMs: number): SignatureVerdict {
  const [id, timestamp, list] = [STANDARD.id, STANDARD.timestamp, STANDARD.signature].map((name) => onlyValue(fields, name))
  if (id === undefined || timestamp === undefined || list === undefined) return invalid(`needed: ${STANDARD.id}, ${STANDARD.timestamp} and ${STANDARD.signature}, each once`)
  if (id.includes('.')) return invalid(`${STANDARD.id} has a dot, so what was signed could be read in two ways`)
  const late = untimely(timestamp, toleranceMs, wallMs)
  if (late !== null) return late
  const shown = list.split(' ').filter((entry) => entry.startsWith('v1,')).map((entry) => entry.slice(3))
  return shownBy(shown, BASE64_LENGTH, secrets, (secret) => standardSignature(secret, id, timestamp, body))
}

const STRIPE = 'stripe-signature'

/** Stripe: `t=TIME,v1=HEX,v1=HEX`, HMAC-SHA256 over `time.body`; other members (`v0` is for tests) are passed over. */
function verifyStripe(fields: Fields, body: Uint8Array, { secrets, toleranceMs }: SignaturePolicy, wallMs: number): SignatureVerdict {
  const members = onlyValue(fields, STRIPE)?.split(',')
  if (members === undefined) return invalid(`needed: ${STRIPE}, once`)
  const [timestamp, ...more] = membersOf(members, 't=')
  if (timestamp === undefined || more.length > 0) return invalid(`${STRIPE} must have one time, t=`)
  const late = untimely(timestamp, toleranceMs, wallMs)
  if (late !== null) return late
  return shownBy(membersOf(members, 'v1='), HEX_LENGTH, secrets, (secret) => createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex'))
}

function membersOf(members: readonly string[], name: string): string[] {
  return members.filter((member) => member.startsWith(name)).map((member) => member.slice(name.length))
}

/** A field that Connection names is taken out before the receiver sees it, and one that was sent twice is read in two ways. */
function onlyValue(fields: Fields, name: string): string | undefined {
  const [value, ...more] = valuesOf(fields, name)
  return more.length > 0 || connectionNames(fields).has(name) ? undefined : value?.trim()
}

/** Whole seconds since 1970: nothing that one reader takes for a number and another for none. */
const SECONDS = /^(?:0|[1-9]\d{0,11})$/

function untimely(timestamp: string, toleranceMs: number, wallMs: number): SignatureVerdict | null {
  if (!SECONDS.test(timestamp)) return invalid('the signed time must be in whole seconds')
  // Senders cut to whole seconds, so we do, too: a delivery of this very second is no time away.
  const awayMs = Math.abs(Math.floor(wallMs / 1000) - Number(timestamp)) * 1000
  return awayMs <= toleranceMs ? null : invalid('the signed time is too far from ours: sign each delivery when it is sent, and look at both clocks')
}

/**
 * As text, so that a signature has one form: other alphabets, upper case and bits behind the end are none. A comparison that
 * ends at the first difference would tell a forger how far a guess is right; the length tells nothing that is not known,
 * and where nothing has it the body is not hashed at all.
 */
function shownBy(shown: readonly string[], length: number, secrets: readonly KeyObject[], sign: (secret: KeyObject) => string): SignatureVerdict {
  const candidates = shown.filter((text) => text.length === length).map((text) => Buffer.from(text, 'latin1'))
  const genuine = candidates.length > 0 && secrets.some((secret) => {
    const right = Buffer.from(sign(secret), 'latin1')
    return candidates.some((candidate) => timingSafeEqual(candidate, right))
  })
  return genuine ? { kind: 'genuine' } : invalid('no signature in it is of a secret that is known here')
}

function invalid(detail: string): SignatureVerdict {
  return { kind: 'invalid', detail }
}
