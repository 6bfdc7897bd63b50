import { fork, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/*
 * CPU per request of the proxy (all its threads), side by side in one run: direct, bare @fastify/http-proxy, and the
 * product as shipped (from dist, logs and metrics on) for a new key and for a replay. Rounds alternate between the
 * cases and the median counts, so that a machine's mood hits all of them. Each case has a process of its own, as the
 * bare proxy has. Exit code 1 if a bar is missed.
 */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const ROUND_MS = Number(process.env['BENCH_ROUND_MS'] ?? 4000)
const CONNECTIONS = 64

/** What the first issue asks for, as a share of the bare proxy's CPU per request. */
const BARS = { 'new key': 1.2, replay: 0.5 } as const
const MOST_IDLE_RSS_MB = 125
const MOST_READY_MS = 1000

/** Linux counts CPU time in these ticks per second (getconf CLK_TCK). */
const TICKS_PER_SECOND = 100

interface Case { readonly name: string, readonly port: number, readonly pid: number, readonly keys: 'none' | 'new' | 'same' }
interface Round { readonly perSecond: number, readonly cpuUs: number, readonly p50: number, readonly p99: number, readonly failed: number }

const folder = mkdtempSync(join(tmpdir(), 'onceward-bench-'))
const children: ChildProcess[] = []
const logs: number[] = []
try {
  process.exitCode = await main() ? 0 : 1
} finally {
  for (const child of children) child.kill('SIGTERM')
  for (const log of logs) closeSync(log)
  rmSync(folder, { recursive: true, force: true })
}

async function main(): Promise<boolean> {
  const upstream = await forked('upstream.ts', [])
  const origin = `http://127.0.0.1:${upstream.port}`
  const bare = await forked('bare-proxy.ts', [origin])
  const passing = await startProduct(origin, 'pass')
  const claiming = await startProduct(origin, 'new')
  const replaying = await startProduct(origin, 'replay')
  const cases: Case[] = [
    { name: 'direct', ...upstream, keys: 'none' },
    { name: 'bare http-proxy', ...bare, keys: 'none' },
    { name: 'pass-through', ...passing, keys: 'none' },
    { name: 'new key', ...claiming, keys: 'new' },
    { name: 'replay', ...replaying, keys: 'same' },
  ]
  const rounds = new Map<string, Round[]>()
  for (const one of cases) await round(one, 'warm') // one round each that does not count: JIT, pools, page cache
  for (let i = 0; i < ROUNDS; i += 1) {
    for (const one of cases) rounds.set(one.name, [...(rounds.get(one.name) ?? []), await round(one, `r${i}`)])
  }
  return print(rounds, passing)
}

async function round(one: Case, label: string): Promise<Round> {
  if (one.keys === 'same') await load(one, 500, `same-${label}`) // makes the keys that the round replays
  const before = cpuUs(one.pid)
  const result = await load(one, ROUND_MS, `${one.keys}-${label}`)
  return { perSecond: result.answered / (ROUND_MS / 1000), cpuUs: (cpuUs(one.pid) - before) / result.answered, p50: result.p50, p99: result.p99, failed: result.failed }
}

function load(one: Case, ms: number, prefix: string): Promise<{ answered: number, failed: number, p50: number, p99: number }> {
  const child = fork(join(import.meta.dirname, 'load.ts'), [String(one.port), String(CONNECTIONS), String(ms), one.keys, prefix])
  return new Promise((resolve) => child.once('message', (message) => resolve(message as { answered: number, failed: number, p50: number, p99: number })))
}

function print(rounds: ReadonlyMap<string, readonly Round[]>, sidecar: { readonly idleRssMb: number, readonly readyMs: number }): boolean {
  const yardstick = median(rounds.get('bare http-proxy') ?? [], 'cpuUs')
  process.stdout.write(`${'case'.padEnd(18)}${'requests/s'.padStart(12)}${'p50 ms'.padStart(9)}${'p99 ms'.padStart(9)}${'CPU us/req'.padStart(12)}${'x bare'.padStart(9)}\n`)
  let good = true
  for (const [name, some] of rounds) {
    const ratio = median(some, 'cpuUs') / yardstick
    const bar = name in BARS ? BARS[name as keyof typeof BARS] : undefined
    const failed = some.reduce((sum, one) => sum + one.failed, 0)
    if ((bar !== undefined && ratio > bar) || failed > 0) good = false
    const verdict = bar === undefined ? '' : `  bar ${bar}: ${ratio <= bar ? 'met' : 'MISSED'}`
    const cells = [median(some, 'perSecond').toFixed(0).padStart(12), median(some, 'p50').toFixed(2).padStart(9), median(some, 'p99').toFixed(2).padStart(9), median(some, 'cpuUs').toFixed(1).padStart(12), ratio.toFixed(2).padStart(9)]
    process.stdout.write(`${name.padEnd(18)}${cells.join('')}${verdict}${failed > 0 ? `  ${failed} FAILED` : ''}\n`)
  }
  const small = sidecar.idleRssMb <= MOST_IDLE_RSS_MB
  const quick = sidecar.readyMs <= MOST_READY_MS
  process.stdout.write(`idle RSS ${sidecar.idleRssMb.toFixed(0)} MB (bar ${MOST_IDLE_RSS_MB}: ${small ? 'met' : 'MISSED'}), ready after ${sidecar.readyMs.toFixed(0)} ms (bar ${MOST_READY_MS}: ${quick ? 'met' : 'MISSED'})\n`)
  return good && small && quick
}

async function forked(file: string, args: readonly string[]): Promise<{ port: number, pid: number }> {
  const child = fork(join(import.meta.dirname, file), args)
  children.push(child)
  const { port } = await new Promise<{ port: number }>((resolve) => child.once('message', (message) => resolve(message as { port: number })))
  return { port, pid: child.pid ?? 0 }
}

/** The built product, its log in a file, as a service manager would run it. */
async function startProduct(origin: string, name: string): Promise<{ port: number, pid: number, idleRssMb: number, readyMs: number }> {
  const logFile = join(folder, `${name}.log`)
  const log = openSync(logFile, 'w')
  logs.push(log)
  const startedAt = performance.now()
  const main = resolve(import.meta.dirname, '../../dist/onceward.js')
  const child = spawn(process.execPath, [main, '--upstream', origin, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--data-dir', join(folder, name)], { stdio: ['ignore', log, 'inherit'] })
  children.push(child)
  const address = await readyAddress(child, logFile)
  const readyMs = performance.now() - startedAt
  await new Promise((resolve) => { setTimeout(resolve, 2 * 1000) }) // idle is measured when the start has settled
  const idleRssMb = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  return { port: Number(new URL(address).port), pid: child.pid ?? 0, idleRssMb, readyMs }
}

async function readyAddress(child: ChildProcess, logFile: string): Promise<string> {
  while (child.exitCode === null) {
    const line = readFileSync(logFile, 'utf8').split('\n').find((text) => text.includes('"sidecar.ready"'))
    if (line !== undefined) return (JSON.parse(line) as { address: string }).address
    await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
  throw new Error('the sidecar did not start; run `npm run build` first')
}

/** User and system time of a process with all its threads, in microseconds. */
function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * (1_000_000 / TICKS_PER_SECOND)
}

function median(rounds: readonly Round[], what: keyof Round): number {
  const values = rounds.map((round) => round[what]).sort((a, b) => a - b)
  return values[Math.floor(values.length / 2)] ?? 0
}
