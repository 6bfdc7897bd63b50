import { connect, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { NAUGHTY } from '../../support/naughty-strings.ts'
import { leadOf, SHAPES, type Shape } from '../../support/smuggling-shapes.ts'
import { between, oneOf } from '../chance.ts'

/* What hostile clients do. Each attack is bounded: one connection, at most two seconds and about a megabyte. */

export interface Target {
  readonly port: number
  /** a key that a well-behaved client uses now, or used */
  readonly stolenKey: () => string
}

/** Resolves with what was read, as latin1. Never rejects: whatever the other side does, it was asked for. */
export type Attack = (target: Target, random: () => number) => Promise<string>

const LONGEST_MS = 2000
const READ_AT_MOST = 256 * 1024

export const ATTACKS: Readonly<Record<string, Attack>> = {
  'smuggling shapes': (target, random) => {
    const key = random() < 0.5 ? `Idempotency-Key: h${random()}\r\n` : ''
    return talk(target, [oneOf(random, SHAPES as readonly [Shape, ...Shape[]]).bytes(leadOf(key))], random)
  },
  'one byte after the other': async (target, random) => {
    const bytes = request(random, 'x'.repeat(20)).slice(0, between(random, 1, 150))
    return await talk(target, [...bytes.matchAll(/[^]/g)].map(([byte]) => byte), random, 4)
  },
  'reset in a phase': (target, random) => {
    const whole = request(random, 'x'.repeat(500))
    return talk(target, [whole.slice(0, between(random, 0, whole.length))], random, 0, (socket) => void socket.resetAndDestroy())
  },
  'half-close': (target, random) => {
    const whole = request(random, 'x'.repeat(500))
    return talk(target, [whole.slice(0, random() < 0.5 ? whole.length : between(random, 0, whole.length))], random, 0, (socket) => void socket.end())
  },
  'giant chunks': (target, random) => talk(target, [
    `${head(random)}Transfer-Encoding: chunked\r\n\r\n`,
    ...Array.from({ length: 4 }, () => `${(200_000).toString(16)}\r\n${'x'.repeat(200_000)}\r\n`),
    random() < 0.5 ? '0\r\n\r\n' : 'ffffffff\r\n',
  ], random),
  'tiny chunks': (target, random) => talk(target, [`${head(random)}Transfer-Encoding: chunked\r\n\r\n`, '1;e=1\r\nx\r\n'.repeat(2000), '0\r\n\r\n'], random),
  'naughty strings': (target, random) => {
    const nasty = (): string => oneOf(random, NAUGHTY as readonly [string, ...string[]])
    return talk(target, [`${random() < 0.1 ? nasty() : 'POST'} /${nasty()} HTTP/1.1\r\nHost: ${random() < 0.3 ? nasty() : 'a'}\r\nAuthorization: ${nasty()}\r\nIdempotency-Key: ${nasty()}\r\nUser-Agent: ${nasty()}\r\nContent-Type: ${nasty()}\r\nX-${nasty()}: ${nasty()}\r\nContent-Length: 2\r\n\r\nhi`], random)
  },
  'header floods': (target, random) => talk(target, [
    head(random), random() < 0.5 ? 'X-A: b\r\n'.repeat(between(random, 100, 20_000)) : `X-A: ${'a'.repeat(between(random, 8000, 200_000))}\r\n`, 'Content-Length: 0\r\n\r\n',
  ], random),
  'pipelining': (target, random) => {
    const same = request(random, 'hi')
    return talk(target, [Array.from({ length: between(random, 2, 40) }, () => random() < 0.5 ? same : request(random, 'hello')).join('')], random)
  },
  'never reading': (target, random) => talk(target, [request(random, 'hi').repeat(30)], random, 0, (socket) => void socket.pause()),
  'flipped bytes': (target, random) => {
    const bytes = Buffer.from(request(random, 'x'.repeat(50)), 'latin1')
    for (let i = between(random, 1, 5); i > 0; i -= 1) bytes[between(random, 0, bytes.length - 1)] = between(random, 0, 255)
    return talk(target, [bytes.toString('latin1')], random)
  },
  'stolen keys': (target, random) => talk(target, [
    `POST /theft HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${oneOf(random, ['evil', 'good2', 'GOOD', 'good, evil'])}\r\nIdempotency-Key: ${target.stolenKey()}\r\nContent-Length: 0\r\n\r\n`,
  ], random),
}

function head(random: () => number): string {
  const key = random() < 0.7 ? `Idempotency-Key: h${between(random, 0, 200)}\r\n` : ''
  return `POST /hostile HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer evil\r\n${key}`
}

function request(random: () => number, body: string): string {
  return `${head(random)}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** Writes the pieces with a pause between them, does the last thing, and reads on for a while. */
async function talk({ port }: Target, pieces: readonly string[], random: () => number, pauseMs = 0, last: (socket: Socket) => void = () => undefined): Promise<string> {
  const lingerMs = between(random, 5, 150)
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const over = AbortSignal.timeout(LONGEST_MS)
  let received = ''
  let closed = false
  const left = new Promise<void>((resolve) => { socket.on('close', () => { closed = true; resolve() }) })
  socket.on('error', () => undefined).on('data', (chunk) => { if (received.length < READ_AT_MOST) received += chunk.toString('latin1') })
  for (const piece of pieces) {
    if (closed || over.aborted) break
    await Promise.race([left, new Promise<void>((resolve) => { socket.write(piece, 'latin1', () => resolve()) }), after(LONGEST_MS, undefined, { ref: false })])
    if (pauseMs > 0) await after(pauseMs)
  }
  if (!closed) last(socket)
  await Promise.race([left, after(lingerMs)])
  // Node 24 leaks the handle of a socket that is destroyed while it is being reset; a second reset does nothing.
  if (!closed && !socket.destroyed) socket.destroy()
  return received
}
