import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { ANSWERED, framed, request } from './requests.ts'

/*
 * Load at a fixed rate, whatever the answers do: open loop, so that one slow answer does not spare the server the next
 * request. A request takes an idle connection or opens one, before its time counts.
 * argv: port, requests per second, milliseconds, key ('none', 'new' or 'same'), prefix of the keys.
 */
const [port = '0', rate = '200', durationMs = '1000', keys = 'none', prefix = 'k'] = process.argv.slice(2)

const idle: Socket[] = []
const latencies: number[] = []
let failed = 0

function connected(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => resolve(socket))
    socket.setNoDelay(true)
    socket.once('error', reject)
  })
}

async function ask(count: number): Promise<void> {
  const socket = idle.pop() ?? await connected()
  const startedAt = performance.now()
  await new Promise<void>((resolve) => {
    let received = ''
    const over = (): void => {
      socket.removeAllListeners()
      resolve()
    }
    socket.once('close', () => {
      failed += 1
      over()
    })
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (!framed(received)) return
      if (received.startsWith(ANSWERED)) latencies.push(performance.now() - startedAt)
      else failed += 1
      over()
      idle.push(socket)
    })
    socket.write(request(Number(port), keys === 'none' ? null : `${prefix}-${keys === 'new' ? count : 'one'}`))
  })
}

if (keys === 'same') {
  await ask(0) // a reply has to be there before it can be replayed
  latencies.pop()
}
const asked: Promise<void>[] = []
const startedAt = performance.now()
const total = Math.floor((Number(rate) * Number(durationMs)) / 1000)
while (asked.length < total) { // a timer may be late: then several are due
  const dueAt = startedAt + (asked.length * 1000) / Number(rate)
  const waitMs = dueAt - performance.now()
  if (waitMs > 0) await new Promise((resolve) => { setTimeout(resolve, waitMs) })
  asked.push(ask(asked.length))
}
await Promise.all(asked)
for (const socket of idle) socket.destroy()
process.send?.({ latencies, failed })
