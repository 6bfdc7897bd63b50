import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { FromSidecar, FromUpstream, SidecarOrder, ToSidecar, ToUpstream, UpstreamOrder } from './protocol.ts'

/** Far longer than anything here takes; past it a trial is broken and says so. */
const PATIENCE_MS = 60_000

interface Waiting<From> {
  readonly wanted: (message: From) => boolean
  readonly resolve: (message: From) => void
  readonly reject: (error: Error) => void
}

/** All processes of a trial, so that none outlives it, however it ends. */
export class Nursery {
  /** what V8 made of the sources, so that not every process has to compile them */
  readonly compileCache: string
  readonly #children: { kill(): Promise<void> }[] = []

  constructor(compileCache: string) {
    this.compileCache = compileCache
  }

  add(child: { kill(): Promise<void> }): void {
    this.#children.push(child)
  }

  async clear(): Promise<void> {
    await Promise.all(this.#children.splice(0).map((child) => child.kill()))
  }
}

/** A forked process with its messages. Ends with the campaign: a child whose channel closes exits. */
export class Child<From extends { readonly kind: string }, To extends object> {
  /** the signal that ended it, or null */
  readonly exited: Promise<NodeJS.Signals | null>
  readonly #process: ChildProcess
  readonly #heard: From[] = []
  readonly #listeners: ((message: From) => void)[] = []
  #waiting: Waiting<From>[] = []
  #gone: string | null = null

  constructor(file: string, order: object, nursery: Nursery) {
    nursery.add(this)
    // Nothing is inherited: what a test runner puts into its own process is none of the product's business.
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(order)], {
      execArgv: [], env: { NODE_COMPILE_CACHE: nursery.compileCache }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.exited = new Promise((resolve) => {
      this.#process.on('error', (error) => this.#end(error.message)).on('exit', (code, signal) => {
        this.#end(`${file} ended with ${signal ?? String(code)}`)
        resolve(signal)
      })
    })
    this.#process.on('message', (message: From) => this.#hear(message))
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  get alive(): boolean {
    return this.#gone === null
  }

  /** Calls back for every message, from now on. */
  listen(listener: (message: From) => void): void {
    this.#listeners.push(listener)
  }

  /** The first such message, past or coming; rejects when the process ends, fails or stays silent. */
  told(wanted: (message: From) => boolean): Promise<From> {
    const found = this.#heard.find(wanted)
    if (found !== undefined) return Promise.resolve(found)
    if (this.#gone !== null) return Promise.reject(new Error(this.#gone))
    return new Promise((resolve, reject) => {
      // one more turn: what came while we were busy is heard first
      const timer = setTimeout(() => setImmediate(() => reject(new Error('a child stayed silent'))), PATIENCE_MS)
      const settled = <T>(then: (value: T) => void) => (value: T) => {
        clearTimeout(timer)
        then(value)
      }
      this.#waiting.push({ wanted, resolve: settled(resolve), reject: settled(reject) })
    })
  }

  say(message: To): void {
    if (this.alive) this.#process.send(message, () => undefined)
  }

  /** kill -9, and waits until the process is gone. */
  async kill(): Promise<void> {
    if (this.alive) this.#process.kill('SIGKILL')
    await this.exited
  }

  #hear(message: From): void {
    this.#heard.push(message)
    for (const listener of this.#listeners) listener(message)
    const met = this.#waiting.filter(({ wanted }) => wanted(message))
    this.#waiting = this.#waiting.filter((waiting) => !met.includes(waiting))
    for (const { resolve } of met) resolve(message)
    if (message.kind === 'failed') this.#end(JSON.stringify(message))
  }

  #end(why: string): void {
    this.#gone ??= why
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(why))
  }
}

export type SidecarChild = Child<FromSidecar, ToSidecar>
export type UpstreamChild = Child<FromUpstream, ToUpstream>

export async function startUpstream(order: UpstreamOrder, nursery: Nursery): Promise<{ readonly child: UpstreamChild, readonly origin: string }> {
  const child: UpstreamChild = new Child('./upstream.ts', order, nursery)
  const message = await child.told(({ kind }) => kind === 'listening')
  if (message.kind !== 'listening') throw new Error('unreachable')
  return { child, origin: message.origin }
}

/** Resolves once the sidecar answers, with one address per replica. */
export async function startLife(order: SidecarOrder, nursery: Nursery): Promise<{ readonly child: SidecarChild, readonly addresses: readonly string[] }> {
  const child: SidecarChild = new Child('./sidecar.ts', order, nursery)
  const message = await child.told(({ kind }) => kind === 'ready')
  if (message.kind !== 'ready') throw new Error('unreachable')
  return { child, addresses: message.addresses }
}
