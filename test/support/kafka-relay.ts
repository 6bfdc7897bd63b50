import { connect, createServer, type Socket } from 'node:net'
import { listenOnLoopback } from './flaky-relay.ts'

/*
 * Stands between a client and a broker, and knows where requests and answers begin. What it does with them:
 *
 *     pass      nothing
 *     swallow   nothing gets through any more, in either direction, and connections stay: a partition of the network
 *     refuse    connections are cut, and new ones are cut at once
 *
 * Beside that, the answer to one kind of request can be dropped, with its connection, once it is there: what was asked was done,
 * and nobody hears of it.
 */

export type RelayMode = 'pass' | 'swallow' | 'refuse'

/** Numbers of the protocol's requests. */
export const API = { produce: 0, endTransaction: 26 } as const

export interface KafkaRelay {
  readonly port: number
  mode: RelayMode
  /** answers of this request that are still to be dropped */
  drop(api: number, times: number): void
  /** resolves when the next answer has been dropped */
  dropped(): Promise<void>
  /** cuts every connection once; new ones pass */
  cut(): void
  close(): Promise<void>
}

export async function startKafkaRelay(toPort: () => number): Promise<KafkaRelay> {
  const sockets = new Set<Socket>()
  const drops = new Map<number, number>()
  let waiting: (() => void)[] = []
  let mode: RelayMode = 'pass'
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer({ noDelay: true }, (client) => {
    if (mode === 'refuse') {
      client.destroy()
      return
    }
    const broker = connect({ port: toPort(), host: '127.0.0.1', noDelay: true })
    const apis = new Map<number, number>()
    const close = (): void => {
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => {
        sockets.delete(socket)
        if (mode !== 'swallow') close()
      })
    }
    client.on('data', frames((frame) => {
      apis.set(frame.readInt32BE(8), frame.readInt16BE(4))
      if (mode === 'pass') broker.write(frame)
    }))
    broker.on('data', frames((frame) => {
      const api = apis.get(frame.readInt32BE(4)) ?? -1
      apis.delete(frame.readInt32BE(4))
      const left = drops.get(api) ?? 0
      if (left > 0) {
        drops.set(api, left - 1)
        close()
        for (const wake of waiting.splice(0)) wake()
      } else if (mode === 'pass') {
        client.write(frame)
      }
    }))
  })
  const port = await listenOnLoopback(server, 0)
  return {
    port,
    get mode() { return mode },
    set mode(next) {
      // what was swallowed before is lost, as on a real network only a new connection can tell
      if (next === 'refuse' || mode === 'swallow') cut()
      mode = next
    },
    drop: (api, times) => { drops.set(api, times) },
    dropped: () => new Promise((resolve) => { waiting.push(resolve) }),
    cut,
    close: () => new Promise((resolve) => {
      waiting = []
      server.close(() => resolve())
      cut()
    }),
  }
}

/** Calls `each` with every frame (four bytes of length, and as many bytes) that is complete. */
function frames(each: (frame: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0)
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
      const end = 4 + held.readInt32BE(0)
      each(held.subarray(0, end))
      held = held.subarray(end)
    }
  }
}
