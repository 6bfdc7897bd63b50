import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { residentMb } from './cpu.ts'
import type { Scene, Target } from './scene.ts'

export interface ProductOptions {
  readonly upstream: Target
  /** of its folder and its log */
  readonly name: string
  /** the group of the configuration; the embedded store without it */
  readonly store?: Readonly<Record<string, string>>
  /** further groups of the configuration */
  readonly more?: Readonly<Record<string, unknown>>
  /** another program with the same flags, in place of the built product */
  readonly program?: string
}

export interface Product extends Target { readonly adminPort: number }

const BUILT = resolve(import.meta.dirname, '../../dist/onceward.js')
/** Idle is measured when the start has settled. */
const SETTLED_AFTER_MS = 2000

/** The product as a service manager would run it, its log in a file. */
export async function startProduct(scene: Scene, { upstream, name, store = {}, more = {}, program = BUILT }: ProductOptions): Promise<Product> {
  const [logFile, configFile] = [join(scene.folder, `${name}.log`), join(scene.folder, `${name}.yaml`)]
  const log = openSync(logFile, 'w')
  writeFileSync(configFile, JSON.stringify({
    upstream: `http://127.0.0.1:${upstream.port}`, listen: '127.0.0.1:0', admin: { listen: '127.0.0.1:0' },
    store: { data_dir: join(scene.folder, name), ...store }, ...more,
  }))
  const child = spawn(process.execPath, [program, '--config', configFile], { stdio: ['ignore', log, 'inherit'] })
  closeSync(log)
  scene.keep(child)
  const { address, admin } = await ready(child, logFile)
  return { pid: child.pid ?? 0, port: Number(new URL(address).port), adminPort: Number(new URL(admin).port) }
}

/** The same, with what a start takes. */
export async function startMeasured(scene: Scene, options: ProductOptions): Promise<Product & { readonly idleRssMb: number, readonly readyMs: number }> {
  const startedAt = performance.now()
  const product = await startProduct(scene, options)
  const readyMs = performance.now() - startedAt
  await sleep(SETTLED_AFTER_MS)
  return { ...product, idleRssMb: residentMb(product.pid), readyMs }
}

async function ready(child: ChildProcess, logFile: string): Promise<{ address: string, admin: string }> {
  while (child.exitCode === null) {
    const line = readFileSync(logFile, 'utf8').split('\n').find((text) => text.includes('"sidecar.ready"'))
    if (line !== undefined) return JSON.parse(line) as { address: string, admin: string }
    await sleep(10)
  }
  throw new Error('the sidecar did not start; run `npm run build` first')
}
