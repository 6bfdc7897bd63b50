import { Worker } from 'node:worker_threads'
import { test } from 'tap'
import { Connection } from '../../src/store/sqlite/connection.ts'
import { HeldClock } from '../contract/situation.ts'
import { unavailability } from './folder.ts'

const GREETING = "const { parentPort } = require('node:worker_threads'); parentPort.postMessage(['opened']);"

/** A connection to a thread that greets, and then does with its first batch what `script` says. */
async function connectedTo(script: string): Promise<Connection> {
  const connection = new Connection(new Worker(`${GREETING} parentPort.once('message', () => { ${script} })`, { eval: true }), new HeldClock())
  await connection.opened
  return connection
}

for (const [what, script] of [['crashes', "throw new Error('a bug')"], ['ends', 'process.exit(3)']] as const) {
  test(`a thread that ${what}: what was out is unknown, what comes later is not written, and closing still ends`, async (t) => {
    const connection = await connectedTo(script)
    t.equal((await unavailability(connection.send([() => ['census']]))).written, 'unknown')
    t.equal((await unavailability(connection.send([() => ['census']]))).written, 'no')
    await connection.close()
  })
}

test('a thread that ends before it greets is a store that does not start', async (t) => {
  const connection = new Connection(new Worker('process.exit(3)', { eval: true }), new HeldClock())
  t.equal((await unavailability(connection.opened)).written, 'no')
})

test('each answer reaches its call, a failed one as StoreUnavailable', async (t) => {
  const connection = await connectedTo("parentPort.postMessage([JSON.stringify([['count', 7], ['failed', 'no', 'a damaged row']]), [], new Uint8Array(0)])")
  const [counted, failed] = await connection.send([() => ['reap', 1], () => ['sweep', 1]])
  t.match(counted, { kind: 'done', outcome: { answer: ['count', 7] } })
  t.match(failed, { kind: 'failed', error: { name: 'StoreUnavailable', written: 'no', message: 'a damaged row' } })
  await connection.close()
})
