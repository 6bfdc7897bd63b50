import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { SqsSettings } from '../../src/core/sink-settings.ts'

/*
 * An endpoint that speaks the JSON protocol of SQS (AmazonSQS.SendMessageBatch) and says what a test has it say. Emulators
 * differ from SQS where it hurts: this one says what AWS documents.
 */

export interface SentEntry {
  readonly Id: string
  readonly MessageBody: string
  readonly MessageGroupId: string
  readonly MessageDeduplicationId: string
  readonly MessageAttributes: Record<string, { readonly DataType: string, readonly StringValue: string }>
}

/** What becomes of one entry; `ignored`: in neither list. */
export type Fate = 'taken' | 'ignored' | { readonly Code: string, readonly SenderFault: boolean, readonly Message?: string }

export interface ScriptedSqs {
  readonly calls: readonly (readonly SentEntry[])[]
  readonly settings: SqsSettings
  /** from now on */
  eachEntry: (entry: SentEntry) => Fate
  /** from now on; null: entries are looked at one by one */
  wholeCall: ((response: ServerResponse, entries: readonly SentEntry[]) => boolean) | null
}

export async function scriptedSqs(t: Pick<Test, 'teardown'>, timeoutMs = 5000): Promise<ScriptedSqs> {
  const calls: SentEntry[][] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { Entries: SentEntry[] }
      calls.push(Entries)
      if (sqs.wholeCall?.(response, Entries) === true) return
      const fates = Entries.map((entry) => ({ entry, fate: sqs.eachEntry(entry) }))
      answer(response, 200, {
        Successful: fates.filter(({ fate }) => fate === 'taken').map(({ entry: { Id, MessageBody } }) => ({ Id, MessageId: `m-${Id}`, SequenceNumber: '1', MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') })),
        Failed: fates.flatMap(({ entry: { Id }, fate }) => typeof fate === 'object' ? [{ Id, ...fate }] : []),
      })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const sqs: ScriptedSqs = {
    calls, eachEntry: () => 'taken', wholeCall: null,
    settings: { kind: 'sqs', queueUrl: `${endpoint}/123456789012/orders.fifo`, region: 'eu-central-1', endpoint, credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret-of-the-test', sessionToken: null }, timeoutMs },
  }
  return sqs
}

export function answer(response: ServerResponse, status: number, body: unknown, fields: Record<string, string> = {}): true {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': 'r-1', ...fields }).end(JSON.stringify(body))
  return true
}

/** An error as SQS says it in this protocol, and under its older name for old programs. */
export function fault(response: ServerResponse, status: number, name: string, olderName = name): true {
  return answer(response, status, { __type: `com.amazonaws.sqs#${name}`, message: 'secret-of-the-message' }, { 'x-amzn-query-error': `${olderName};${status < 500 ? 'Sender' : 'Receiver'}` })
}
