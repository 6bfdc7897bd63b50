import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface Played {
  readonly bytes: string
  readonly then: 'wait' | 'close' | 'reset'
}

/** An upstream of bare sockets: it keeps every byte it gets and plays bytes for every whole request. */
export class RawUpstream {
  /** all bytes since `start`, as latin1 */
  received = ''
  readonly #server = createServer((socket) => this.#accept(socket))
  readonly #sockets = new Set<Socket>()
  #play: Played = { bytes: '', then: 'wait' }
  #whole: () => void = () => undefined

  static async open(t: Test): Promise<RawUpstream> {
    const upstream = new RawUpstream()
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    t.teardown(() => {
      for (const socket of upstream.#sockets) socket.destroy()
      upstream.#server.close()
    })
    return upstream
  }

  get origin(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`
  }

  /** Forgets what came so far; from now on every whole request is answered like this. Resolves with the first one. */
  start(play: Played): Promise<void> {
    this.received = ''
    this.#play = play
    return new Promise((resolve) => { this.#whole = resolve })
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    let pending = ''
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1')
      this.received += text
      pending += text
      for (let end = endOfRequest(pending); end !== -1; end = endOfRequest(pending)) {
        pending = pending.slice(end)
        this.#whole()
        this.#answer(socket)
      }
    })
  }

  #answer(socket: Socket): void {
    const { bytes, then } = this.#play
    const after = { wait: () => undefined, close: () => socket.end(), reset: () => setImmediate(() => socket.resetAndDestroy()) }[then]
    if (bytes === '') after()
    else socket.write(bytes, 'latin1', after)
  }
}

function endOfRequest(received: string): number {
  const head = received.indexOf('\r\n\r\n')
  if (head === -1) return -1
  const fields = received.slice(0, head)
  if (/^transfer-encoding: *chunked/im.test(fields)) {
    const end = received.indexOf('0\r\n\r\n', head + 4)
    return end === -1 ? -1 : end + 5
  }
  const length = Number(/^content-length: (\d+)/im.exec(fields)?.[1] ?? 0)
  return received.length >= head + 4 + length ? head + 4 + length : -1
}
