import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { AttemptOutcome } from '../../src/core/attempt.ts'
import { systemClock } from '../../src/host/clock.ts'
import { openHttpUpstream } from '../../src/upstream/http-upstream.ts'

/*
 * The keep-alive race: an upstream closes a connection that was idle for too long, in the moment in which we write a request
 * to it. Nobody can tell afterwards whether it was read, so each such request is a doubt.
 */

export interface Race {
  readonly requests: number
  readonly perSecond: number
  /** after which the upstream closes an idle connection */
  readonly keepAliveMs: number
  /** whether it says so in its replies */
  readonly hint: boolean
  readonly uniform: () => number
}

export interface Raced {
  readonly answered: number
  readonly lost: number
  readonly notSent: number
  readonly connections: number
  /** connections that the upstream closed because they were idle */
  readonly closedByUpstream: number
}

/** Requests in bunches of ten or so, so that many connections are idle for anything between nothing and long. */
export async function race({ requests, perSecond, keepAliveMs, hint, uniform }: Race): Promise<Raced> {
  const server = await closing(keepAliveMs, hint)
  const clock = systemClock()
  const upstream = openHttpUpstream({ origin: server.origin, connections: 64, connectTimeoutMs: 2000 }, clock)
  const ends = { answered: 0, lost: 0, notSent: 0 }
  const count = ({ kind }: AttemptOutcome): void => {
    if (kind === 'answered') ends.answered += 1
    else if (kind === 'not_sent') ends.notSent += 1
    else ends.lost += 1
  }
  const request = { method: 'POST', target: '/', fields: ['Host', 'x'], body: Buffer.from('{}'), inform: () => undefined }
  const limits = { socketWaitMs: 5000, keptReplyBytes: 1000, closeDelimited: 'stream', status: { rules: new Map(), inProgress: [], otherwise: 'final', proofs: [] }, afterDoubt: false } as const
  const all: Promise<void>[] = []
  for (let sent = 0; sent < requests;) {
    const bunch = Math.min(requests - sent, 1 + Math.floor(-Math.log(1 - uniform()) * 10))
    for (let i = 0; i < bunch; i += 1) all.push(upstream.attempt(request, limits).outcome.then(count))
    sent += bunch
    await new Promise((resolve) => { setTimeout(resolve, bunch / perSecond * 1000 * 2 * uniform()) })
  }
  await Promise.all(all)
  await upstream.close()
  server.close()
  return { ...ends, connections: server.opened(), closedByUpstream: server.closedIdle() }
}

async function closing(keepAliveMs: number, hint: boolean): Promise<{ origin: string, opened(): number, closedIdle(): number, close(): void }> {
  let [opened, closedIdle] = [0, 0]
  const reply = `HTTP/1.1 200 OK\r\n${hint ? `Keep-Alive: timeout=${Math.round(keepAliveMs / 1000)}\r\n` : ''}Content-Length: 2\r\n\r\nok`
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    opened += 1
    sockets.add(socket)
    let received = ''
    let timer: NodeJS.Timeout | undefined
    socket.on('error', () => undefined).on('close', () => {
      clearTimeout(timer)
      sockets.delete(socket)
    })
    socket.on('data', (chunk) => {
      clearTimeout(timer)
      received += chunk.toString('latin1')
      if (!received.endsWith('{}')) return
      received = ''
      socket.write(reply)
      timer = setTimeout(() => {
        closedIdle += 1
        socket.destroy() // what is still on its way to it is answered by a reset
      }, keepAliveMs)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP port was asked for')
  return {
    origin: `http://127.0.0.1:${address.port}`, opened: () => opened, closedIdle: () => closedIdle,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
