import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface SwitchablePort {
  readonly port: number
  /** from now on connections lead there; those that are open are cut */
  leadTo(port: number): void
}

/** A port of the loopback interface that leads to another one, as a service's name leads to whoever bears it today. */
export async function switchablePort(t: Pick<Test, 'teardown'>, first: number): Promise<SwitchablePort> {
  let target = first
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const behind = connect({ port: target, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, behind]) {
      open.add(socket)
      socket.on('error', () => undefined).once('close', () => {
        open.delete(socket)
        client.destroy()
        behind.destroy()
      })
    }
    client.pipe(behind)
    behind.pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of open) socket.destroy()
  }
  t.teardown(() => {
    cut()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    leadTo(port) {
      target = port
      cut()
    },
  }
}
