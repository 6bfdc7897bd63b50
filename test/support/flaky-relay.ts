import { connect, createServer, type Server, type Socket } from 'node:net'

/*
 * A TCP relay that breaks connections by a seeded plan, to stand between a client and a server of HTTP/1.1. It holds
 * each request until it is whole (by Content-Length; none of our clients sends chunks), draws its fate, and then:
 *
 *     passed         request and reply pass
 *     request-lost   reset before a byte of the request is passed on
 *     hang-up        the request is passed on whole, and both sides are reset at once
 *     reply-lost     reset when the reply begins, none of it is passed on
 *     reply-cut      reset after the first bytes of the reply
 *
 * The fates follow each other as the seed says; which request meets which is a matter of who comes when.
 */

export type Fault = 'request-lost' | 'hang-up' | 'reply-lost' | 'reply-cut'
type Fate = Fault | 'passed'

export interface RelayOptions {
  /** the port on loopback to which the requests go */
  readonly toPort: number
  readonly seed: number
  /** how likely each fault is, for each request anew; together below 1 */
  readonly odds: Readonly<Record<Fault, number>>
  /** a reply is cut after as many bytes, at least and at most */
  readonly cutAt: readonly [least: number, most: number]
}

export interface FlakyRelay {
  readonly origin: string
  readonly port: number
  /** connections that were broken so far, by cause */
  readonly broken: Readonly<Record<Fault, number>>
  close(): Promise<void>
}

export const NO_FAULTS: RelayOptions['odds'] = { 'request-lost': 0, 'hang-up': 0, 'reply-lost': 0, 'reply-cut': 0 }

export async function startFlakyRelay(options: RelayOptions): Promise<FlakyRelay> {
  const broken = { 'request-lost': 0, 'hang-up': 0, 'reply-lost': 0, 'reply-cut': 0 }
  const random = seededRandom(options.seed)
  const sockets = new Set<Socket>()
  const plan: Plan = {
    draw: () => drawFate(options.odds, random()),
    drawCut: () => Math.floor(options.cutAt[0] + random() * (options.cutAt[1] - options.cutAt[0] + 1)),
    dial: () => keep(connect({ port: options.toPort, host: '127.0.0.1', noDelay: true })),
    broke: (fault) => { broken[fault] += 1 },
    reset: (socket) => {
      // Node 24 leaks the handle of a socket that is destroyed while it is being reset, and then spins for ever at
      // the exit of the process. So a socket that is reset is left alone from then on.
      sockets.delete(socket)
      socket.resetAndDestroy()
    },
  }
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.once('close', () => sockets.delete(socket))
  }
  const server = createServer({ noDelay: true }, (client) => void new Line(keep(client), plan))
  const port = await listenOnLoopback(server, 0)
  return {
    origin: `http://127.0.0.1:${port}`, port, broken,
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    }),
  }
}

/** Resolves with the port, which is a free one if 0 was asked for. */
export async function listenOnLoopback(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  return address.port
}

/** Uniform in [0, 1), the same row of numbers for the same seed (mulberry32, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Plan {
  draw(): Fate
  drawCut(): number
  dial(): Socket
  broke(fault: Fault): void
  reset(socket: Socket): void
}

/** One client's connection and the one that we hold for it to the server. */
class Line {
  readonly #client: Socket
  readonly #plan: Plan
  #server: Socket | null = null
  #received: Buffer = Buffer.alloc(0)
  #fate: Fate = 'passed'
  /** bytes of the reply that still may pass before it is cut */
  #allowance = 0
  #over = false

  constructor(client: Socket, plan: Plan) {
    this.#client = client
    this.#plan = plan
    client.on('data', (chunk) => this.#collect(chunk)).on('error', nothing).on('close', () => { if (!this.#over) this.#server?.destroy() })
  }

  #collect(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    const bytes = wholeRequest(this.#received)
    if (bytes === undefined || this.#over) return
    const request = this.#received.subarray(0, bytes)
    this.#received = this.#received.subarray(bytes)
    this.#fate = this.#plan.draw()
    if (this.#fate === 'request-lost') return this.#break(this.#fate)
    if (this.#fate === 'reply-cut') this.#allowance = this.#plan.drawCut()
    const hangUp = this.#fate === 'hang-up'
    this.#server ??= this.#connect()
    this.#server.write(request, (error) => {
      if (hangUp && (error === undefined || error === null)) this.#break('hang-up')
    })
  }

  #connect(): Socket {
    return this.#plan.dial()
      .on('data', (chunk) => this.#reply(chunk))
      .on('error', nothing)
      .on('close', (failed) => this.#serverLeft(failed))
  }

  #serverLeft(failed: boolean): void {
    if (this.#over) return
    this.#over = true
    if (failed) this.#plan.reset(this.#client)
    else this.#client.destroySoon()
  }

  #reply(chunk: Buffer): void {
    switch (this.#fate) {
      case 'passed':
        this.#client.write(chunk)
        return
      case 'reply-lost':
        this.#break('reply-lost')
        return
      case 'reply-cut': {
        const part = chunk.subarray(0, this.#allowance)
        this.#allowance -= part.length
        // The callback: a reset would overtake what still waits in this process.
        if (this.#allowance > 0) this.#client.write(part)
        else this.#client.write(part, () => this.#break('reply-cut'))
        return
      }
      case 'hang-up': case 'request-lost':
        return // broken already, or about to be
      default:
        this.#fate satisfies never
    }
  }

  #break(fault: Fault): void {
    if (this.#over) return
    this.#over = true
    this.#plan.broke(fault)
    this.#plan.reset(this.#client)
    if (this.#server !== null) this.#plan.reset(this.#server)
  }
}

/** The length of the request that `bytes` begins with, if it is all there. */
function wholeRequest(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const length = /\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, headEnd))?.[1] ?? '0'
  const whole = headEnd + 4 + Number(length)
  return bytes.length >= whole ? whole : undefined
}

function drawFate(odds: RelayOptions['odds'], drawn: number): Fate {
  let below = 0
  for (const fault of ['request-lost', 'hang-up', 'reply-lost', 'reply-cut'] as const) {
    below += odds[fault]
    if (drawn < below) return fault
  }
  return 'passed'
}

/** 'close' follows every 'error'; without a listener node would end the process. */
function nothing(): void {}
