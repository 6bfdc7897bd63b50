import { validateHeaderName, validateHeaderValue } from 'node:http'
import { Pool } from 'undici'
import type { Delivery, Outgoing } from '../core/delivery.ts'
import { insideExcept } from '../core/inside-addresses.ts'
import type { Sink } from '../core/outbox-ports.ts'
import type { Clock } from '../core/ports.ts'
import type { WebhookSettings } from '../core/sink-settings.ts'
import { isOwnWebhookField } from '../core/webhook-fields.ts'
import { guardedConnector, type LookupAll } from './guarded-connector.ts'
import { Posting, retryable } from './posting.ts'
import { webhookSigner } from './webhook-signer.ts'

export interface WebhookDeps {
  readonly clock: Clock
  /** the system's, if there is none */
  readonly lookup?: LookupAll
}

/** Connections at most; they are opened as calls need them. */
const MOST_CONNECTIONS = 256

/**
 * An idle connection is kept for shorter than receivers commonly keep theirs (five seconds and more). Where both ends part at
 * once a delivery fails and is repeated, which a webhook may be: its id stays the same.
 */
const MAX_IDLE_MS = 4000
/** How long before the end of the receiver's own `Keep-Alive: timeout` a connection is given up. */
const HINT_MARGIN_MS = 1000

/** Visible ASCII without the dot, which separates the parts of what is signed. */
const SENDABLE_ID = /^[\x21-\x2d\x2f-\x7e]{1,255}$/

/**
 * Delivers each event as one POST to a URL, signed as Standard Webhooks has it. Never repeats by itself, follows no redirect
 * and connects to no address inside unless `allow` has it. Throws for settings that no request can be made of.
 */
export function openWebhookSink(name: string, settings: WebhookSettings, { clock, lookup }: WebhookDeps): Sink {
  const { url, timeoutMs } = settings
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new Error(`sinks.${name}.webhook.url: needed: http or https`)
  const fixed = fixedFields(name, settings)
  const sign = webhookSigner(settings.secrets)
  const path = `${url.pathname}${url.search}`
  const connect = guardedConnector({ timeoutMs, isRefused: insideExcept(settings.allow), ...(lookup === undefined ? {} : { lookup }) })
  const pool = new Pool(url.origin, {
    connect, connections: MOST_CONNECTIONS, pipelining: 1,
    keepAliveTimeout: MAX_IDLE_MS, keepAliveMaxTimeout: MAX_IDLE_MS, keepAliveTimeoutThreshold: HINT_MARGIN_MS,
    headersTimeout: 0, bodyTimeout: 0, // each delivery has one time for everything
  })
  return {
    name,
    kind: 'webhook',
    shape: { events: 1, perLane: 1, bytes: Number.MAX_SAFE_INTEGER },
    atOnce: MOST_CONNECTIONS,
    settledFirst: false,
    begin: async () => undefined,
    deliver: (batch, signal, maySend = () => true) => Promise.all(batch.map((event) => deliver(event, signal, maySend))),
    close: () => pool.destroy(),
  }

  function deliver({ id, payload }: Outgoing, signal: AbortSignal, maySend: () => boolean): Promise<Delivery> {
    if (!SENDABLE_ID.test(id)) return Promise.resolve({ kind: 'refused', reason: 'its id cannot be a field of HTTP' })
    if (signal.aborted) return Promise.resolve(retryable('ended from our side before it was sent', 'unknown'))
    const posting = new Posting({ timeoutMs, signal, maySend, clock })
    const timestamp = String(Math.floor(clock.wallMs() / 1000))
    const signature = sign(id, timestamp, payload)
    const headers = [...fixed, 'webhook-id', id, 'webhook-timestamp', timestamp]
    if (signature !== null) headers.push('webhook-signature', signature)
    pool.dispatch({ path, method: 'POST', headers, body: payload.length === 0 ? null : payload }, posting)
    return posting.end
  }
}

function fixedFields(name: string, { url, headers }: WebhookSettings): string[] {
  for (const [field, value] of headers) {
    if (isOwnWebhookField(field)) throw new Error(`sinks.${name}.webhook.headers: ${field} is not for the configuration to set`)
    if (!isLegal(field, value)) throw new Error(`sinks.${name}.webhook.headers: ${JSON.stringify(field)} is no field of HTTP, or its value is not`)
  }
  const configured = new Set(headers.map(([field]) => field.toLowerCase()))
  const fields = ['content-type', 'application/cloudevents+json']
  if (!configured.has('user-agent')) fields.push('user-agent', 'Onceward')
  const credential = `${decoded(url.username)}:${decoded(url.password)}`
  if (credential !== ':' && !configured.has('authorization')) fields.push('authorization', `Basic ${Buffer.from(credential).toString('base64')}`)
  return [...fields, ...headers.flat()]
}

function isLegal(field: string, value: string): boolean {
  try {
    validateHeaderName(field)
    validateHeaderValue(field, value)
    return true
  } catch {
    return false
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
