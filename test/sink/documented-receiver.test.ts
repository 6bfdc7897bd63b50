import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { outgoing } from '../contract/sink-situation.ts'
import { freePort } from '../support/services/free-port.ts'
import { deliverOne, SECRET, webhookTo } from './webhook-situation.ts'

const ROOT = join(import.meta.dirname, '../..')

test('the receiver of docs/outbox-sinks.md takes what is signed, and nothing else', async (t) => {
  const [, program = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/outbox-sinks.md'), 'utf8')) ?? []
  const port = await freePort()
  const receiver = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], env: { PORT: String(port), WEBHOOK_SECRET: `whsec_${SECRET.toString('base64')}` } })
  t.teardown(async () => {
    receiver.kill('SIGKILL')
    await once(receiver, 'exit')
  })
  const url = `http://127.0.0.1:${port}/`
  const [event, sink] = [outgoing('customer-7'), webhookTo(t, url)]
  const said = once(receiver.stdout, 'data')
  let end = await deliverOne(sink, event)
  for (const deadline = Date.now() + 20_000; end.kind === 'retryable' && end.blame === 'sink' && Date.now() < deadline; end = await deliverOne(sink, event)) {
    await new Promise((resolve) => { setTimeout(resolve, 50) }) // it is about to listen
  }
  t.strictSame(end, { kind: 'delivered' })
  t.equal(String((await said)[0]).trim(), `${event.id} charge.created`)
  t.match(await deliverOne(webhookTo(t, url, { secrets: [Buffer.alloc(32, 9)] }), outgoing('a')), { kind: 'retryable', blame: 'event', cause: 'the receiver answered 401' })
  t.match(await deliverOne(webhookTo(t, url, { secrets: [] }), outgoing('a')), { kind: 'retryable', blame: 'event' })
  t.match(await deliverOne(webhookTo(t, url, { secrets: [Buffer.alloc(32, 9), SECRET] }), outgoing('a')), { kind: 'delivered' })
})
