import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { between } from '../chance.ts'

/** What becomes of a request. `lost`: it is done, and nobody hears of it. `cut`: the connection breaks before anything is done. `busy`: 429. */
export type Fate = 'done' | 'lost' | 'cut' | 'busy'

export interface Ledger {
  readonly origin: string
  /** how often each key was done */
  readonly done: ReadonlyMap<string, number>
  /** the body that was answered, by key */
  readonly answers: ReadonlyMap<string, string>
  /** requests in all */
  readonly arrived: number
  /** resolves once so many requests have arrived, or after `withinMs`: what is wrong then is seen at the end */
  reached(arrived: number, withinMs: number): Promise<void>
}

/** A service that does what it is asked each time it is asked, and writes down what it did. */
export async function startLedger(t: Pick<Test, 'teardown'>, random: () => number, fateOf: (key: string) => Fate): Promise<Ledger> {
  const done = new Map<string, number>()
  const answers = new Map<string, string>()
  const waiting = new Set<() => void>()
  let arrived = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const key = String(request.headers['idempotency-key'])
      arrived += 1
      for (const look of waiting) look()
      const fate = fateOf(key)
      setTimeout(() => {
        if (fate === 'cut') return void request.socket.destroy()
        if (fate === 'busy') return void response.writeHead(429).end()
        const times = (done.get(key) ?? 0) + 1
        done.set(key, times)
        if (fate === 'lost') return void request.socket.destroy()
        const body = JSON.stringify({ key, times })
        answers.set(key, body)
        response.writeHead(201, { 'Content-Type': 'application/json' }).end(body)
      }, between(random, 5, 40))
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, done, answers,
    get arrived() { return arrived },
    reached: (count, withinMs) => new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        waiting.delete(look)
        resolve()
      }
      const look = (): void => { if (arrived >= count) end() }
      const timer = setTimeout(end, withinMs)
      waiting.add(look)
      look()
    }),
  }
}
