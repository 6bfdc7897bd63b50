import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { systemClock } from '../../src/host/clock.ts'
import { openSqsSink } from '../../src/sink/sqs-fifo.ts'
import { freePort } from '../support/services/free-port.ts'
import { needs } from '../support/services/needs.ts'
import { fifoQueue, stopSqs } from '../support/services/sqs.ts'
import { switchablePort } from '../support/switchable-port.ts'
import { sinkContract } from './sink.ts'

needs(t, 'sqs')
t.teardown(stopSqs)

sinkContract(t, {
  async open(t, timeoutMs) {
    const queue = await fifoQueue(t)
    const between = await switchablePort(t, queue.port)
    const settings = queue.settings(timeoutMs, `http://127.0.0.1:${between.port}`)
    return {
      sink: await openSqsSink('queue', settings, { clock: systemClock(), meter: { sentLate: () => undefined } }),
      arrivals: async (count) => (await queue.received(count)).map(({ Attributes, Body = '' }) => (
        { id: Attributes?.MessageDeduplicationId ?? '', lane: Attributes?.MessageGroupId ?? '', body: Buffer.from(Body) }
      )),
      shut: async () => between.leadTo(await freePort()),
      async silence() {
        const sockets = new Set<Socket>()
        const mute = createServer((socket) => void sockets.add(socket.on('error', () => undefined).resume())).listen(0, '127.0.0.1')
        await once(mute, 'listening')
        t.teardown(() => {
          for (const socket of sockets) socket.destroy()
          mute.close()
        })
        between.leadTo((mute.address() as AddressInfo).port)
      },
      tooLarge: 1_048_576,
      ...(process.env['ONCEWARD_TEST_SQS'] === undefined ? { narrow: true } : {}), // fauxqs counts UTF-16 units; see scripted-sqs
      secrets: [settings.credentials?.accessKeyId, settings.credentials?.secretAccessKey].filter((secret) => secret !== undefined),
    }
  },
})
