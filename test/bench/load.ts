import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'

/*
 * The load, in a process of its own: closed loop over raw sockets, so that it costs little beside what it measures.
 * argv: port, connections, milliseconds, key ('none', 'new' or 'same'), prefix of the keys.
 */
const [port = '0', connections = '32', durationMs = '1000', keys = 'none', prefix = 'k'] = process.argv.slice(2)
const BODY = JSON.stringify({ amount: 2000, currency: 'eur', source: 'tok_visa', description: 'one charge among many', metadata: { order: '6735' } })

/** Replays draw from this many keys, as retries of a busy service would. */
const KEYS_TO_REPLAY = 500

const latencies: number[] = []
let sent = 0
let failed = 0
const until = performance.now() + Number(durationMs)

function request(): string {
  sent += 1
  const key = keys === 'none' ? '' : `Idempotency-Key: "${prefix}-${keys === 'new' ? sent : sent % KEYS_TO_REPLAY}-6f1c2f36-8f0e"\r\n`
  return `POST /v1/charges HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: bench\r\nAuthorization: Bearer sk_test_4eC39HqLyjWDarjtT1zdp7dc\r\nContent-Type: application/json\r\n${key}Content-Length: ${BODY.length}\r\n\r\n${BODY}`
}

function drive(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1')
    let startedAt = 0
    let received = ''
    const next = (): void => {
      if (performance.now() >= until) {
        socket.destroy()
        resolve()
        return
      }
      startedAt = performance.now()
      socket.write(request())
    }
    socket.setNoDelay(true)
    socket.on('connect', next)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const head = received.indexOf('\r\n\r\n')
      if (head === -1) return
      const length = /content-length: (\d+)/i.exec(received)?.[1]
      if (length === undefined || received.length < head + 4 + Number(length)) return
      if (received.startsWith('HTTP/1.1 200')) latencies.push(performance.now() - startedAt)
      else failed += 1
      received = ''
      next()
    })
    socket.on('error', () => {
      failed += 1
      resolve()
    })
  })
}

await Promise.all(Array.from({ length: Number(connections) }, drive))
latencies.sort((a, b) => a - b)
const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
process.send?.({ answered: latencies.length, failed, p50: at(0.5), p99: at(0.99) })
