import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { Test } from 'tap'
import { request } from 'undici'
import { startSidecar, type Seams, type Sidecar } from '../../src/compose.ts'
import { loadConfig } from '../../src/config/load.ts'

export interface Running extends Sidecar {
  /** every log line so far, as text */
  log(): string
  /** the value of a series in /metrics, 0 if it is not there */
  metric(series: string): Promise<number>
  post(key: string | null, more?: Partial<Sent>): Promise<Received>
}

export interface Sent {
  readonly path: string
  readonly method: string
  readonly headers: readonly string[]
  readonly body: string
}

export interface Received {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** the code behind urn:onceward:problem:, or null */
  readonly problem: string | null
}

/**
 * The product in this process, on a store of its own: every real part but the command line. `yaml` is appended to
 * the configuration file; without it there is no file, as with `--upstream` alone.
 */
export async function startForTest(t: Test, origin: string, options: { readonly yaml?: string, readonly seams?: Seams, readonly dataDir?: string, readonly graceMs?: number } = {}): Promise<Running> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'onceward-test-'))
  const flags = { upstream: origin, listen: '127.0.0.1:0', admin: '127.0.0.1:0', dataDir }
  const file = options.yaml === undefined ? null : { name: 'test.yaml', text: options.yaml }
  const loaded = await loadConfig({ file, flags, environment: {} })
  if (loaded.kind === 'faulty') throw new Error(loaded.mistakes.map((mistake) => JSON.stringify(mistake)).join('\n'))
  const lines: string[] = []
  const log = new Writable({ write: (chunk: Buffer, _encoding, done) => { lines.push(chunk.toString()); done() } })
  const sidecar = await startSidecar({ ...loaded.config, shutdownGraceMs: options.graceMs ?? 500 }, log, options.seams)
  t.teardown(async () => {
    await sidecar.stop()
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
  })
  return {
    ...sidecar,
    log: () => lines.join(''),
    async metric(series) {
      const text = await (await request(`${sidecar.adminAddress}/metrics`)).body.text()
      return Number(text.split('\n').find((line) => line.startsWith(`${series} `))?.slice(series.length + 1) ?? 0)
    },
    post: (key, more) => send(sidecar.address, key, more),
  }
}

/** One request with a key (or without), on a connection of its own if need be. */
export async function send(address: string, key: string | null, { path = '/v1/charges', method = 'POST', headers = ['Authorization', 'Bearer one'], body = '{"amount":1}' }: Partial<Sent> = {}): Promise<Received> {
  const named = key === null ? headers : [...headers, 'Idempotency-Key', key]
  const reply = await request(`${address}${path}`, { method: method as 'POST', headers: [...named], body: method === 'GET' || method === 'HEAD' ? null : body })
  const text = await reply.body.text()
  const type = String(reply.headers['content-type'] ?? '')
  const problem = type.startsWith('application/problem+json') ? /urn:onceward:problem:([a-z-]+)/.exec(text)?.[1] ?? null : null
  return { status: reply.statusCode, headers: reply.headers, body: text, problem }
}

/** Asks again until the answer is as wanted; each question waits for its answer, and there are at most 500. */
export async function until(ask: () => Promise<Received>, wanted: (received: Received) => boolean): Promise<Received> {
  for (let i = 0; i < 500; i += 1) {
    const received = await ask()
    if (wanted(received)) return received
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  throw new Error('it never came')
}
