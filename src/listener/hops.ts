import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Hop } from '../core/forwarding.ts'
import { peerAddress } from '../core/trusted-peers.ts'

/** What this process says about every hop; the rest is the connection's. */
export interface HopPolicy {
  readonly trusts: (peer: string) => boolean
  readonly pseudonym: string
  /** see `Hop.host` */
  readonly host: string | null
  /** see `Hop.forwarded` */
  readonly forwarded: boolean
}

/** The hop that requests of a connection make; found out once per connection, not per request. */
export class Hops {
  readonly #policy: HopPolicy
  readonly #bySocket = new WeakMap<Socket, Hop>()

  constructor(policy: HopPolicy) {
    this.#policy = policy
  }

  of(request: IncomingMessage): Hop {
    const { socket } = request
    let hop = this.#bySocket.get(socket)
    if (hop === undefined) {
      const { trusts, pseudonym, host, forwarded } = this.#policy
      const peer = peerAddress(socket.remoteAddress)
      hop = { peer, trusted: trusts(peer), secure: 'encrypted' in socket, httpVersion: '1.1', pseudonym, host, forwarded }
      this.#bySocket.set(socket, hop)
    }
    return request.httpVersion === '1.0' ? { ...hop, httpVersion: '1.0' } : hop
  }
}
