import { once } from 'node:events'
import { createServer } from 'node:net'

/*
 * Below the ports that systems hand out to clients, so that nobody takes the port of a server that is down for a
 * moment. 10,000 above it lies the bus of a Redis Cluster node, below them too.
 */
const FIRST = 11_000
const COUNT = 10_000

const taken = new Set<number>()

/** A port of the loopback interface on which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if (taken.has(port)) continue
    const probe = createServer()
    try {
      probe.listen(port, '127.0.0.1')
      await once(probe, 'listening')
      taken.add(port)
      return port
    } catch {
      continue
    } finally {
      await new Promise((resolve) => { probe.close(resolve) })
    }
  }
}
