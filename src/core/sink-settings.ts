import type { Network } from './trusted-peers.ts'

/** One sink as it was configured, all defaults filled in. Times in milliseconds. */
export interface SinkSettings {
  readonly name: string
  readonly receiver: WebhookSettings | KafkaSettings | SqsSettings | OperationsReceiver
  /** deliveries that an event has before it is a dead letter, the first one included */
  readonly attempts: number
  /** the delay before the next delivery is uniform between 0 and min(cap, base * 2^n); what the receiver asks for comes on top */
  readonly baseMs: number
  readonly capMs: number
  /** what a dead letter does to its lane */
  readonly onDead: 'block' | 'skip'
  /** lanes that may be under way at one time */
  readonly lanes: number
  /** calls to the receiver at one time, at most as many as the sink allows */
  readonly concurrency: number
  /** events of one call, at most as many as the sink allows */
  readonly batch: number
  /** how long a relay that died keeps others from taking over */
  readonly leaseMs: number
  /** begins when the lag is above `aboveMs`; ends when nothing waits. `rate`: events a second, or 1.5 times the arrivals if that is more */
  readonly catchUp: { readonly aboveMs: number, readonly rate: number, readonly rampMs: number }
}

/** Ourselves: the events are requests that were accepted (operations.ts). */
export interface OperationsReceiver {
  readonly kind: 'operations'
}

export interface WebhookSettings {
  readonly kind: 'webhook'
  /** may have a credential in it: for the connection only */
  readonly url: URL
  /** keys of Standard Webhooks, decoded; every one of them signs, so that receivers can change over. Empty: nothing is signed */
  readonly secrets: readonly Uint8Array[]
  readonly timeoutMs: number
  /** addresses inside that may be delivered to nevertheless */
  readonly allow: readonly Network[]
  /** further fields of every request, values may be secret */
  readonly headers: readonly (readonly [string, string])[]
}

export interface KafkaSettings {
  readonly kind: 'kafka'
  readonly brokers: readonly { readonly host: string, readonly port: number }[]
  readonly topic: string
  readonly clientId: string
  /** null: an idempotent producer without transactions */
  readonly transactionalId: string | null
  /** null: plain text. `ca`: PEM, null for the usual authorities */
  readonly tls: { readonly ca: string | null } | null
  readonly sasl: { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512', readonly username: string, readonly password: string } | null
  readonly timeoutMs: number
}

export interface SqsSettings {
  readonly kind: 'sqs'
  /** ends in .fifo */
  readonly queueUrl: string
  readonly region: string
  /** null: that of AWS in the region */
  readonly endpoint: string | null
  /** null: where the AWS SDK looks by itself (environment, profile, role of the pod or machine) */
  readonly credentials: { readonly accessKeyId: string, readonly secretAccessKey: string, readonly sessionToken: string | null } | null
  readonly timeoutMs: number
}
