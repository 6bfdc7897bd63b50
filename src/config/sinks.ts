import { isIP } from 'node:net'
import { insideExcept } from '../core/inside-addresses.ts'
import type { KafkaSettings, OperationsReceiver, SinkSettings, SqsSettings, WebhookSettings } from '../core/sink-settings.ts'
import { parseNetwork } from '../core/trusted-peers.ts'
import { isLoopback, parseAddress } from './addresses.ts'
import type { Certificates } from './certificates.ts'
import { defaultsOf, SCHEMA, type Document } from './schema.ts'
import { parseWebhookSecret } from './secret.ts'
import { SINK } from './sinks-schema.ts'
import { parseDuration } from './units.ts'

/** Where events go, of `sinks` as they were written. */

type Written = NonNullable<Document['sinks']>[string]
type Receiver = Exclude<SinkSettings['receiver'], OperationsReceiver>

/** Calls at a time and events a call, where nothing else is said. */
const USUAL: Readonly<Record<Receiver['kind'], { readonly concurrency: number, readonly batch: number }>> = {
  webhook: { concurrency: 64, batch: 1 },
  kafka: { concurrency: 1, batch: 1000 },
  sqs: { concurrency: 16, batch: 10 },
}

export function sinksOf({ sinks, service }: Document, certificates: Certificates): SinkSettings[] {
  return Object.entries(sinks ?? {}).map(([name, written]) => sinkOf(name, written, service ?? SCHEMA.properties.service.default, certificates))
}

/** One sentence for everything that is allowed and will hurt. */
export function sinkWarnings({ sinks, routes, outbox: beside }: Document): string[] {
  const unsigned = Object.entries(sinks ?? {}).filter(([, { webhook }]) => webhook !== undefined && (webhook.secrets ?? []).length === 0)
  const wanted = new Set((routes ?? []).flatMap(({ outbox }) => (outbox === undefined ? [] : Array.isArray(outbox) ? outbox.map(({ sink }) => sink) : 'sink' in outbox ? [outbox.sink] : [])))
  for (const { sink } of Object.values(beside?.sources ?? {})) wanted.add(sink)
  const idle = Object.keys(sinks ?? {}).filter((name) => !wanted.has(name))
  const inside = Object.entries(sinks ?? {}).filter(([, { webhook }]) => webhook !== undefined && leadsInside(webhookOf(webhook)))
  return [
    ...inside.map(([name]) => `sinks.${name}.webhook.url is an address inside, and allow does not have it: nothing is delivered there`),
    ...unsigned.map(([name]) => `sinks.${name}.webhook has no secrets: nothing is signed, so its receiver cannot tell our events from anybody else's`),
    ...idle.map((name) => `no route has an event for sinks.${name}: it delivers only what waits there already`),
  ]
}

/** Where it says so itself; whether a name leads inside is seen when it is looked up. */
function leadsInside({ url, allow }: WebhookSettings): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(host) !== 0 ? [host] : isLoopback(host) ? ['127.0.0.1', '::1'] : []
  return addresses.length > 0 && addresses.every(insideExcept(allow))
}

function sinkOf(name: string, written: Written, service: string, certificates: Certificates): SinkSettings {
  const { attempts, base, cap, dead_letters: onDead, lanes, lease } = { ...defaultsOf(SINK), ...written }
  const { above, rate, ramp } = { ...defaultsOf(SINK.properties.catch_up), ...written.catch_up }
  const receiver = receiverOf(written, service, certificates)
  const { concurrency, batch } = { ...USUAL[receiver.kind], ...written }
  return {
    name, receiver, attempts, baseMs: ms(base), capMs: ms(cap), onDead, lanes, concurrency, batch, leaseMs: ms(lease),
    catchUp: { aboveMs: ms(above), rate, rampMs: ms(ramp) },
  }
}

function receiverOf({ webhook, kafka, sqs }: Written, service: string, certificates: Certificates): Receiver {
  if (webhook !== undefined) return webhookOf(webhook)
  return kafka === undefined ? sqsOf(proven(sqs)) : kafkaOf(kafka, service, certificates)
}

function webhookOf(written: NonNullable<Written['webhook']>): WebhookSettings {
  const { url, secrets, timeout, allow, headers = {} } = { ...defaultsOf(SINK.properties.webhook), ...written }
  return {
    kind: 'webhook', url: new URL(typeof url === 'string' ? url : url.plain_http), secrets: secrets.map((text) => proven(parseWebhookSecret(text))),
    timeoutMs: ms(timeout), allow: allow.map((text) => proven(parseNetwork(text))), headers: Object.entries(headers),
  }
}

function kafkaOf(written: NonNullable<Written['kafka']>, service: string, certificates: Certificates): KafkaSettings {
  const { brokers, topic, transactional_id: transactionalId = null, tls, sasl = null, timeout } = { ...defaultsOf(SINK.properties.kafka), ...written }
  return {
    kind: 'kafka', brokers: brokers.map((text) => proven(parseAddress(text))), topic, clientId: `onceward-${service}`, transactionalId,
    tls: tls === undefined ? null : { ca: tls === true ? null : proven(certificates.get(tls.ca_file)) }, sasl, timeoutMs: ms(timeout),
  }
}

function sqsOf(written: NonNullable<Written['sqs']>): SqsSettings {
  const { queue_url: queueUrl, region, endpoint = null, credentials, timeout } = { ...defaultsOf(SINK.properties.sqs), ...written }
  return {
    kind: 'sqs', queueUrl, region, endpoint, timeoutMs: ms(timeout),
    credentials: credentials === undefined ? null : { accessKeyId: credentials.access_key_id, secretAccessKey: credentials.secret_access_key, sessionToken: credentials.session_token ?? null },
  }
}

function ms(text: string): number {
  return proven(parseDuration(text))
}

/** The schema has accepted the text with the same parser; if not, it is a bug and not a mistake of the file. */
function proven<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the schema accepted a value that its parser refuses')
  return value
}
