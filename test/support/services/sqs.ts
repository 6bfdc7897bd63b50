import { CreateQueueCommand, DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient, type Message } from '@aws-sdk/client-sqs'
import type { Test } from 'tap'
import type { SqsSettings } from '../../../src/core/sink-settings.ts'
import { say } from './programs.ts'

/*
 * A server of SQS: the one of ONCEWARD_TEST_SQS (its endpoint, such as http://localhost:4566), else fauxqs of npm in this
 * process. No emulator is SQS; what it gets wrong is held against AWS's own words by test/sink/scripted-sqs.ts. With real
 * AWS set ONCEWARD_TEST_SQS_REGION, too, and give credentials as AWS has it.
 */

export interface FifoQueue {
  /** what a sink needs for this queue, through `endpoint` if one is given */
  settings(timeoutMs: number, endpoint?: string): SqsSettings
  readonly port: number
  /** takes messages out until there are so many, or none comes for a second; all that came so far, in order */
  received(count: number): Promise<readonly Message[]>
}

const TEST_CREDENTIALS = { accessKeyId: 'test-key-id', secretAccessKey: 'test-secret-key' }

let shared: Promise<{ readonly endpoint: string, readonly stop: () => Promise<void> }> | null = null
let queues = 0

export function sqsIsAtHand(): boolean {
  if (process.env['ONCEWARD_TEST_SQS'] !== undefined) return true
  try {
    import.meta.resolve('fauxqs')
    return true
  } catch {
    return false
  }
}

/** A new FIFO queue of the test's own. */
export async function fifoQueue(t: Pick<Test, 'teardown'>, attributes: Record<string, string> = {}): Promise<FifoQueue> {
  const { endpoint } = await (shared ??= server())
  const region = process.env['ONCEWARD_TEST_SQS_REGION'] ?? 'us-east-1'
  const credentials = process.env['AWS_ACCESS_KEY_ID'] === undefined ? { ...TEST_CREDENTIALS, sessionToken: null } : null
  const client = new SQSClient({ region, endpoint, ...(credentials === null ? {} : { credentials: TEST_CREDENTIALS }) })
  t.teardown(() => client.destroy())
  queues += 1
  const { QueueUrl: queueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName: `onceward-${process.pid}-${queues}-${Date.now()}.fifo`, Attributes: { FifoQueue: 'true', ...attributes } }))
  const all: Message[] = []
  return {
    port: Number(new URL(endpoint).port),
    settings: (timeoutMs, through = endpoint) => ({ kind: 'sqs', queueUrl, region, endpoint: through, credentials, timeoutMs }),
    async received(count) {
      for (let quiet = 0; quiet < 2;) {
        const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: all.length < count ? 1 : 0, MessageSystemAttributeNames: ['All'], MessageAttributeNames: ['All'] }))
        all.push(...Messages)
        quiet = Messages.length > 0 ? 0 : quiet + 1
        if (Messages.length > 0) await client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: Messages.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle })) }))
      }
      return all
    },
  }
}

/** Ends the server of this process, if there is one: else it keeps the process. */
export async function stopSqs(): Promise<void> {
  await (await shared)?.stop()
}

async function server(): Promise<{ endpoint: string, stop: () => Promise<void> }> {
  const given = process.env['ONCEWARD_TEST_SQS']
  if (given !== undefined) {
    say('SQS: the one of ONCEWARD_TEST_SQS')
    return { endpoint: given, stop: async () => undefined }
  }
  const { startFauxqs } = await import('fauxqs')
  const fauxqs = await startFauxqs({ port: 0, logger: false })
  say('SQS: fauxqs of npm, an emulator')
  return { endpoint: `http://127.0.0.1:${fauxqs.port}`, stop: () => fauxqs.stop() }
}
