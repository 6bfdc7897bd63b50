import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { test } from 'tap'
import { systemClock } from '../../src/host/clock.ts'
import { legalName } from '../../src/sink/sqs-entry.ts'
import { openSqsSink } from '../../src/sink/sqs-fifo.ts'
import { outgoing } from '../contract/sink-situation.ts'
import { needs } from '../support/services/needs.ts'
import { fifoQueue, stopSqs } from '../support/services/sqs.ts'

/*
 * What the server in the tests does of what we build on, so that a pass of the contract means something: it forgets an id no
 * sooner than it should, keeps the order of a group, and holds its bounds.
 */

needs(t, 'sqs')
t.teardown(stopSqs)

const deps = { clock: systemClock(), meter: { sentLate: () => undefined } }

test('within five minutes an event that is sent again is taken and not delivered again', async (t) => {
  const queue = await fifoQueue(t)
  const sink = await openSqsSink('queue', queue.settings(5000), deps)
  const [first, second] = [outgoing('a'), outgoing('a')]
  for (const event of [first, first, second, first]) t.match(await sink.deliver([event], new AbortController().signal), [{ kind: 'delivered' }])
  t.strictSame((await queue.received(2)).map(({ Attributes }) => Attributes?.MessageDeduplicationId), [first.id, second.id])
  t.match(await sink.deliver([first], new AbortController().signal), [{ kind: 'delivered' }])
  t.equal((await queue.received(3)).length, 2, 'also after it was received and deleted')
  await sink.close()
})

test('attributes and group arrive as they were sent', async (t) => {
  const queue = await fifoQueue(t)
  const sink = await openSqsSink('queue', queue.settings(5000), deps)
  const event = outgoing('customer 7')
  await sink.deliver([event], new AbortController().signal)
  const [message] = await queue.received(1)
  t.match(message, { Attributes: { MessageGroupId: legalName('customer 7'), MessageDeduplicationId: event.id }, MessageAttributes: { 'content-type': { StringValue: 'application/cloudevents+json' }, ce_id: { StringValue: event.id }, ce_type: { StringValue: 'charge.created' } } })
  await sink.close()
})

test('a queue that is not there is the sink, and so is one whose server takes no more', async (t) => {
  const queue = await fifoQueue(t)
  const { queueUrl, ...settings } = queue.settings(5000)
  const sink = await openSqsSink('queue', { ...settings, queueUrl: queueUrl.replace(/[^/]+$/, 'gone.fifo') }, deps)
  t.match(await sink.deliver([outgoing('a')], new AbortController().signal), [{ kind: 'retryable', blame: 'sink' }])
  await sink.close()
})

test('a message larger than the queue allows is the event', async (t) => {
  const queue = await fifoQueue(t, { MaximumMessageSize: '2048' })
  const sink = await openSqsSink('queue', queue.settings(5000), deps)
  const ends = await sink.deliver([outgoing('a'), outgoing('b', 'x'.repeat(3000))], new AbortController().signal)
  t.match(ends, [{ kind: 'delivered' }, { kind: 'retryable', blame: 'event' }])
  await sink.close()
})

test('where the AWS SDK is not installed, the sink says how to get it', async (t) => {
  const hidden = `import { registerHooks } from 'node:module'
registerHooks({ resolve(name, context, next) {
  if (name === '@aws-sdk/client-sqs') throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
} })`
  const program = `import { openSqsSink } from ${JSON.stringify(join(import.meta.dirname, '../../src/sink/sqs-fifo.ts'))}
await openSqsSink('queue', {}, {}).catch((error) => console.log(error.message))`
  const said = execFileSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(hidden)}`, '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 20_000 })
  t.equal(said.trim(), 'sinks.queue.sqs needs the AWS SDK, which is not installed here: npm install @aws-sdk/client-sqs')
})
