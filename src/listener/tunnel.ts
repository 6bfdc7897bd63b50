import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { connectionNames, valuesOf, type Fields } from '../core/headers.ts'
import type { Switched } from '../core/ports.ts'

/*
 * Websockets: a handshake that the upstream answers, and then bytes both ways until one side ends. Nothing of RFC 6455
 * is read or written here, so frames, subprotocols, extensions, close codes and pings are between the two ends, and
 * TCP's back-pressure reaches from one to the other. (@fastify/http-proxy ends the websocket here and opens another
 * one: it says 101 before the upstream was asked, chooses the subprotocol itself, and holds what a slow reader has
 * not read in memory.)
 */

/**
 * The protocol that a request may switch to: `websocket`, by the handshake of RFC 6455 section 4.1. Any other Upgrade
 * field is ignored, as a server may (RFC 9110 section 7.8): h2c around a proxy is a way around its rules, and a POST
 * that carries a key stays guarded whatever it wants to become.
 */
export function wantsWebsocket({ method, httpVersion, rawHeaders }: Pick<IncomingMessage, 'method' | 'httpVersion' | 'rawHeaders'>): boolean {
  if (method !== 'GET' || httpVersion !== '1.1' || !connectionNames(rawHeaders).has('upgrade')) return false
  return valuesOf(rawHeaders, 'upgrade').join().trim().toLowerCase() === 'websocket' && hasNoContent(rawHeaders)
}

function hasNoContent(fields: Fields): boolean {
  return valuesOf(fields, 'transfer-encoding').length === 0 && valuesOf(fields, 'content-length').every((length) => Number(length) === 0)
}

/** The connections that are no HTTP any more; node's server does not know them. */
export class Tunnels {
  readonly #open = new Set<Duplex>()

  /** Tells the client that the switch is made, and connects the two; `head` is what the client sent already. */
  connect(client: Duplex, head: Buffer, { fields, socket: upstream }: Switched): void {
    client.write(switching(fields), 'latin1')
    if (head.length > 0) upstream.write(head)
    this.#join(client, upstream)
    this.#join(upstream, client)
  }

  /** Cuts what is still open. */
  close(): void {
    for (const socket of this.#open) socket.destroy()
  }

  /** One direction; the end of one side is the end of the other, and a break is a break. */
  #join(from: Duplex, to: Duplex): void {
    this.#open.add(from)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#open.delete(from)
      if (to.writableFinished) to.destroy()
      else to.end(() => to.destroy())
    })
    from.pipe(to)
  }
}

function switching(fields: Fields): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n` // as a parser let them through
  return `${head}\r\n`
}
