import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A client's connection on which every byte is the test's own. */
export interface RawConnection {
  readonly socket: Socket
  /** what came back so far, as latin1 */
  received(): string
  /** resolves with the first whole answer that declares its length */
  answer(): Promise<string>
  /** resolves with everything that came, once the connection is closed */
  closed(): Promise<string>
}

export async function rawConnection(t: Test, address: string, text = ''): Promise<RawConnection> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  let received = ''
  let error: Error | null = null
  socket.on('data', (chunk) => { received += chunk.toString('latin1') })
  socket.on('error', (cause) => { error = cause })
  const gone = new Promise<void>((resolve) => { socket.once('close', () => resolve()) })
  await once(socket, 'connect')
  if (text !== '') socket.write(text, 'latin1')
  return {
    socket,
    received: () => received,
    async answer() {
      while (!isWhole(received)) {
        if (socket.closed) throw new Error(`closed after ${JSON.stringify(received)}`, { cause: error })
        await Promise.race([once(socket, 'data'), gone])
      }
      return received
    },
    async closed() {
      await gone
      if (error !== null) throw error
      return received
    },
  }
}

function isWhole(received: string): boolean {
  const head = received.indexOf('\r\n\r\n')
  if (head === -1) return false
  return received.length - head - 4 >= Number(/^content-length: (\d+)/im.exec(received.slice(0, head))?.[1] ?? 0)
}
