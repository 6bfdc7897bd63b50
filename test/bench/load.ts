import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { ANSWERED, framed, KEYS_TO_REPLAY, request } from './requests.ts'

/*
 * The load, in a process of its own: closed loop over raw sockets, so that it costs little beside what it measures.
 * argv: port, connections, milliseconds, key ('none', 'new', 'same' or 'once'), prefix of the keys, how many there are (for 'once').
 */
const [port = '0', connections = '32', durationMs = '1000', keys = 'none', prefix = 'k', available = '0'] = process.argv.slice(2)

const latencies: number[] = []
let sent = 0
let failed = 0
const startedAt = performance.now()
const until = startedAt + Number(durationMs)
const most = keys === 'once' ? Number(available) : Infinity

function next(): string {
  sent += 1
  return request(Number(port), keys === 'none' ? null : `${prefix}-${keys === 'same' ? 1 + sent % KEYS_TO_REPLAY : sent}`)
}

function drive(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1')
    let sentAt = 0
    let received = ''
    const ask = (): void => {
      if (performance.now() >= until || sent >= most) {
        socket.destroy()
        resolve()
        return
      }
      sentAt = performance.now()
      socket.write(next())
    }
    socket.setNoDelay(true)
    socket.on('connect', ask)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (!framed(received)) return
      if (received.startsWith(ANSWERED)) latencies.push(performance.now() - sentAt)
      else failed += 1
      received = ''
      ask()
    })
    socket.on('error', () => {
      failed += 1
      resolve()
    })
  })
}

await Promise.all(Array.from({ length: Number(connections) }, drive))
const elapsedMs = performance.now() - startedAt
latencies.sort((a, b) => a - b)
const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
process.send?.({ answered: latencies.length, failed, elapsedMs, p50: at(0.5), p99: at(0.99) })
