import type { SendMessageBatchCommandOutput, SQSClientConfig } from '@aws-sdk/client-sqs'
import type { Delivery, Outgoing } from '../core/delivery.ts'
import type { RelayMeter, Sink } from '../core/outbox-ports.ts'
import type { Clock } from '../core/ports.ts'
import type { SqsSettings } from '../core/sink-settings.ts'
import { ATTRIBUTES_BYTES, entryOf, MOST_BYTES, type Entry } from './sqs-entry.ts'
import { judgeCall, judgeEntry } from './sqs-fault.ts'

export interface SqsDeps {
  readonly clock: Clock
  readonly meter: Pick<RelayMeter, 'sentLate'>
}

const MOST_ENTRIES = 10
/** As many as the SDK's own pool has sockets. */
const MOST_CALLS = 50
/** A FIFO queue knows a deduplication id for so long after it took the message. */
const REMEMBERED_MS = 300_000

/**
 * Delivers to an SQS FIFO queue: the lane is the message group and the event's id the deduplication id. A call has one event
 * of a lane at most, because SQS may take a later entry and not an earlier one. The AWS SDK is loaded here and not before;
 * rejects if it is not installed. It never repeats a call by itself.
 */
export async function openSqsSink(name: string, settings: SqsSettings, { clock, meter }: SqsDeps): Promise<Sink> {
  const { SQSClient, SendMessageBatchCommand } = await loadSdk(name)
  const client = new SQSClient(clientSettings(settings))
  const closing = new AbortController()
  return {
    name,
    kind: 'sqs',
    shape: { events: MOST_ENTRIES, perLane: 1, bytes: MOST_BYTES - MOST_ENTRIES * ATTRIBUTES_BYTES },
    atOnce: MOST_CALLS,
    settledFirst: false,
    begin: async () => undefined,
    deliver,
    async close() {
      closing.abort()
      client.destroy()
    },
  }

  async function deliver(batch: readonly Outgoing[], signal: AbortSignal): Promise<readonly Delivery[]> {
    const ends: Delivery[] = batch.map(() => NEVER_SENT)
    const entries: Entry[] = []
    let bytes = 0
    for (const [at, event] of batch.entries()) {
      const made = entryOf(event, at)
      if (made.kind === 'refused') {
        ends[at] = made
        continue
      }
      if (entries.length === MOST_ENTRIES || bytes + made.bytes > MOST_BYTES) {
        await send(entries.splice(0), ends, signal)
        bytes = 0
      }
      entries.push(made.entry)
      bytes += made.bytes
    }
    await send(entries, ends, signal)
    // What was accepted and not heard of was accepted before its first failure was known, by a call's time at most.
    const late = batch.filter(({ firstFailedMs }, at) => firstFailedMs !== null && firstFailedMs + settings.timeoutMs > REMEMBERED_MS && ends[at] !== NEVER_SENT && ends[at]?.kind !== 'refused')
    if (late.length > 0) meter.sentLate(name, late.length)
    return ends
  }

  async function send(entries: readonly Entry[], ends: Delivery[], signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => signal.aborted || closing.signal.aborted
    if (entries.length === 0 || isOver()) return
    for (const { Id } of entries) ends[Number(Id)] = UNHEARD
    try {
      const output = await withinTime(signal, (until) => client.send(new SendMessageBatchCommand({ QueueUrl: settings.queueUrl, Entries: [...entries] }), { abortSignal: until }))
      for (const [at, delivery] of endsIn(output)) if (ends[at] === UNHEARD) ends[at] = delivery
    } catch (error) {
      if (isOver()) return
      const { delivery, ofOneEvent } = judgeCall(error)
      // One bad event must not spend the attempts of nine good ones: each is asked about alone, its id makes that harmless.
      if (ofOneEvent && entries.length > 1) for (const entry of entries) await send([entry], ends, signal)
      else for (const { Id } of entries) ends[Number(Id)] = delivery
    }
  }

  /** The SDK may wait for credentials, which no signal ends: so the time is kept here. */
  async function withinTime<T>(signal: AbortSignal, call: (until: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    const over = new Promise<never>((_, reject) => {
      limit.signal.addEventListener('abort', () => reject(limit.signal.reason instanceof Error ? limit.signal.reason : new Error('ended')), { once: true })
    })
    const stop = (): void => limit.abort(Object.assign(new Error('ended from our side'), { code: 'ABORTED' }))
    const cancel = clock.after(settings.timeoutMs, () => limit.abort(Object.assign(new Error('out of time'), { code: 'TIMEOUT' })))
    for (const each of [signal, closing.signal]) each.addEventListener('abort', stop)
    try {
      return await Promise.race([call(limit.signal), over])
    } finally {
      cancel()
      for (const each of [signal, closing.signal]) each.removeEventListener('abort', stop)
    }
  }
}

const NEVER_SENT: Delivery = { kind: 'retryable', cause: 'ended from our side before it was sent', blame: 'unknown', notBeforeMs: null }
const UNHEARD: Delivery = { kind: 'retryable', cause: 'sent, and SQS said nothing of it', blame: 'unknown', notBeforeMs: null }

/** By the number that each entry had. */
function endsIn({ Successful = [], Failed = [] }: SendMessageBatchCommandOutput): readonly (readonly [number, Delivery])[] {
  return [
    ...Successful.map(({ Id }) => [Number(Id), { kind: 'delivered' }] as const),
    ...Failed.map(({ Id, Code = 'unknown', SenderFault = false }) => [Number(Id), judgeEntry(Code, SenderFault)] as const),
  ]
}

function clientSettings({ region, endpoint, credentials, timeoutMs }: SqsSettings): SQSClientConfig {
  return {
    region,
    maxAttempts: 1, // only the relay repeats
    retryMode: 'standard',
    logger: SILENT, // else the SDK warns on the console that a queue's URL has another host than it would have taken
    requestHandler: { connectionTimeout: timeoutMs },
    ...(endpoint === null ? {} : { endpoint }),
    ...(credentials === null ? {} : {
      credentials: { accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey, ...(credentials.sessionToken === null ? {} : { sessionToken: credentials.sessionToken }) },
    }),
  }
}

const nothing = (): void => undefined
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

async function loadSdk(name: string): Promise<typeof import('@aws-sdk/client-sqs')> {
  try {
    return await import('@aws-sdk/client-sqs')
  } catch (error) {
    throw new Error(`sinks.${name}.sqs needs the AWS SDK, which is not installed here: npm install @aws-sdk/client-sqs`, { cause: error })
  }
}
