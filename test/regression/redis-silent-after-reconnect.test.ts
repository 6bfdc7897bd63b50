import { connect as dial, createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'tap'
import { parseRedisUrl } from '../../src/core/redis-target.ts'
import { systemRandom } from '../../src/host/random.ts'
import { connect } from '../../src/store/redis/connection.ts'
import { Words } from '../../src/store/redis/words.ts'
import { needs } from '../support/services/needs.ts'
import { startRedis } from '../support/services/redis.ts'

/*
 * ioredis subscribes again by itself after a reconnect, and hears nothing of what becomes of that: a Redis that fell silent right after its
 * greeting was a rejection that nobody handled, which ended the process.
 */
test('a Redis that answers the greeting and falls silent at the subscription ends no process', async (t) => {
  needs(t, 'redis')
  const redis = await startRedis(t)
  const sockets = new Set<Socket>()
  let silent = false
  let swallowed = (): void => undefined
  const relay = createServer((client) => {
    const server = dial(redis.port, '127.0.0.1')
    for (const socket of [client, server]) sockets.add(socket.on('error', () => undefined))
    client.on('data', (chunk: Buffer) => {
      if (silent && /subscribe/i.test(chunk.toString('latin1'))) return swallowed()
      server.write(chunk)
    }).on('close', () => server.destroy())
    server.pipe(client)
  })
  await new Promise<void>((resolve) => { relay.listen(0, '127.0.0.1', resolve) })
  const target = parseRedisUrl(`redis://127.0.0.1:${(relay.address() as AddressInfo).port}`)
  if (target === undefined) throw new Error('this is a URL')
  const listener = await connect({ target, ca: null, random: systemRandom() }, 'subscriptions')
  t.teardown(() => {
    listener.disconnect()
    for (const socket of sockets) socket.destroy()
    relay.close()
  })
  const subscribed = new Promise((resolve) => { listener.once('ready', () => { setImmediate(resolve) }) })
  const words = new Words(listener, listener, 'test')
  t.teardown(() => words.close())
  await subscribed
  await listener.subscribe('first') // all of them have been answered
  const unheard: unknown[] = []
  const note = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  silent = true
  const atSubscription = new Promise<void>((resolve) => { swallowed = resolve })
  for (const socket of sockets) socket.destroy()
  await atSubscription
  t.match(await listener.subscribe('last').catch((error: unknown) => error), /timed out/, 'it was asked after the others, and gave up after them')
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(unheard, [])
})
