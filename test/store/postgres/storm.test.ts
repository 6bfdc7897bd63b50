import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { test } from 'tap'
import { needs } from '../../support/services/needs.ts'
import { startPostgres } from '../../support/services/postgres.ts'
import { switchablePort } from '../../support/switchable-port.ts'
import { claimed, request } from '../../contract/situation.ts'
import { connected, openedStore, until } from './opened.ts'

needs(t, 'postgres')

const CONNECTIONS = 4

test('however many calls come during an outage, the server sees one attempt at a time for each connection, and ever fewer', async (t) => {
  const server = await startPostgres(t)
  const url = new URL(await server.createDatabase())
  const name = await switchablePort(t, server.port)
  url.port = String(name.port)
  const store = await openedStore(t, url.href, { connections: CONNECTIONS })
  await claimed(store, request('a', '1'))
  const admin = await connected(t, server.url)
  const connections = async (): Promise<number> => (await admin.query("select from pg_stat_activity where application_name = 'onceward'")).rows.length
  await until(async () => await connections() === CONNECTIONS)

  let [attempts, open, most] = [0, 0, 0]
  const deaf = createServer((socket) => {
    attempts += 1
    open += 1
    most = Math.max(most, open)
    socket.on('error', () => undefined).once('close', () => { open -= 1 })
    setTimeout(() => socket.destroy(), 20)
  })
  deaf.listen(0, '127.0.0.1')
  await once(deaf, 'listening')
  t.teardown(() => deaf.close())
  name.leadTo((deaf.address() as AddressInfo).port)
  const over = AbortSignal.timeout(3000)
  let refused = 0
  for (let n = 0; !over.aborted; n += 1) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.claim(request(`key-${n}-${i}`, '1')).catch(() => { refused += 1 })))
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
  t.ok(refused > 500, `${refused} calls were refused`)
  t.ok(most <= CONNECTIONS, `at most ${most} attempts at once`)
  // drawn evenly below 25, 50, 100 ... and then 1000 ms: about ten a slot in three seconds
  t.ok(attempts <= 25 * CONNECTIONS, `${attempts} attempts in three seconds`)
  name.leadTo(server.port)
  await until(() => store.claim(request('after', '1')).then(() => true, () => false))
  await until(async () => await connections() === CONNECTIONS)
})
