import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface Arrival {
  readonly id: string
  readonly lane: string
  /** the event's place in its lane */
  readonly place: number
  readonly atMs: number
}

/** What becomes of a request: `lost` arrives and is not answered, `cut` does not arrive. */
export type Answer = number | 'lost' | 'cut'

export interface Receiver {
  readonly url: string
  readonly arrivals: Arrival[]
  /** the bodies under which ids arrived, where they were not always the same */
  readonly forged: string[]
  /** resolves once so many different ids have arrived; rejects after `withinMs` */
  distinct(count: number, withinMs: number): Promise<void>
  readonly ids: ReadonlySet<string>
}

/** A webhook receiver that writes down every POST. `answer` decides what it does with each. */
export async function startReceiver(t: Pick<Test, 'teardown'>, answer: (id: string) => Answer): Promise<Receiver> {
  const arrivals: Arrival[] = []
  const bodies = new Map<string, string>()
  const forged: string[] = []
  const ids = new Set<string>()
  const waiting = new Set<() => void>()
  const server: Server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => { body += chunk }).on('end', () => {
      const id = String(request.headers['webhook-id'])
      const end = answer(id)
      if (end === 'cut') return void request.socket.destroy()
      const event = JSON.parse(body) as { lane: string, place: number, data?: { lane: string } }
      const { lane, place } = { ...event, ...event.data }
      if ((bodies.get(id) ?? body) !== body) forged.push(id)
      bodies.set(id, body)
      if (end === 'lost' || end < 300) {
        arrivals.push({ id, lane, place, atMs: performance.now() })
        ids.add(id)
        for (const look of waiting) look()
      }
      if (end === 'lost') request.socket.destroy()
      else response.writeHead(end).end()
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, arrivals, forged, ids,
    distinct: (count, withinMs) => new Promise((resolve, reject) => {
      const look = (): void => {
        if (ids.size < count) return
        clearTimeout(timer)
        waiting.delete(look)
        resolve()
      }
      const timer = setTimeout(() => reject(new Error(`${ids.size} of ${count} ids arrived within ${withinMs} ms`)), withinMs)
      waiting.add(look)
      look()
    }),
  }
}

/** Lanes in which an event arrived for the first time before one that stands ahead of it. */
export function disordered(arrivals: readonly Arrival[]): readonly string[] {
  const last = new Map<string, number>()
  const seen = new Set<string>()
  return arrivals.flatMap(({ id, lane, place }) => {
    if (seen.has(id)) return []
    seen.add(id)
    const before = last.get(lane) ?? 0
    last.set(lane, place)
    return place === before + 1 ? [] : [lane]
  })
}

/** The most arrivals of any second, wherever it begins. */
export function fullestSecond(arrivals: readonly Arrival[]): number {
  let [most, from] = [0, 0]
  for (const [to, { atMs }] of arrivals.entries()) {
    while ((arrivals[from]?.atMs ?? 0) <= atMs - 1000) from += 1
    most = Math.max(most, to - from + 1)
  }
  return most
}
