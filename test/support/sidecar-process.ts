import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/*
 * The real product in a process of its own: what is started here is what an operator starts.
 *
 *     (down) --start--> up --stop--> (down)      SIGTERM: drains, settles, says its exit code
 *                        '---kill--> (down)      SIGKILL: no time for anything
 *
 * A second start uses the same data directory and the same two ports, so that clients find it where it was.
 */

const NODE = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
const ONCEWARD = fileURLToPath(new URL('../../src/onceward.js', import.meta.url))

/** Ready takes about half a second; on a machine that is busy with other tests, more. */
const READY_WITHIN_MS = 30_000
const ANY_PORT = '127.0.0.1:0'
/** How much of what it said last is told when it does not come up. */
const LINES_KEPT = 50

export interface SidecarOptions {
  readonly dataDir: string
  /** `http://host:port`; may stand in the configuration file instead */
  readonly upstream?: string
  /** a configuration file */
  readonly config?: string
  readonly listen?: string
  readonly admin?: string
  /** over the environment of this process */
  readonly environment?: Readonly<Record<string, string>>
}

/** One line of the product's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string }

export class SidecarProcess {
  readonly #options: SidecarOptions
  readonly #lastWords: string[] = []
  readonly #killAtExit = (): void => void this.#child?.kill('SIGKILL')
  #listen: string
  #admin: string
  #child: ChildProcess | null = null
  #ended: Promise<number | null> = Promise.resolve(null)

  constructor(options: SidecarOptions) {
    this.#options = options
    this.#listen = options.listen ?? ANY_PORT
    this.#admin = options.admin ?? ANY_PORT
  }

  /** `http://host:port` for clients; with its real port once it has been started. */
  get origin(): string {
    return `http://${this.#listen}`
  }

  /** `http://host:port` for operators. */
  get adminOrigin(): string {
    return `http://${this.#admin}`
  }

  get port(): number {
    return Number(new URL(this.origin).port)
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves once both listeners answer; rejects with the product's last words if it ends before. */
  async start(): Promise<void> {
    if (this.#child !== null) return
    const child = spawn(NODE, [ONCEWARD, ...this.#flags()], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.#options.environment } })
    this.#child = child
    process.once('exit', this.#killAtExit) // a test that crashes leaves no orphan
    this.#ended = new Promise((resolve) => {
      const end = (code: number | null): void => {
        this.#child = null
        process.off('exit', this.#killAtExit)
        resolve(code)
      }
      child.once('close', end).once('error', () => end(null)) // 'error': it could not be spawned
    })
    const ready = await this.#readyLine(child)
    this.#listen = new URL(String(ready['address'])).host
    this.#admin = new URL(String(ready['admin'])).host
  }

  /** SIGTERM; resolves with the exit code once it has ended (0: drained), null if a signal ended it. */
  async stop(): Promise<number | null> {
    this.#child?.kill('SIGTERM')
    return await this.#ended
  }

  /** SIGSTOP: it stands still, as under a debugger or on a machine that is moved, until `resume`. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** kill -9; resolves once the process is gone. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  /** `idempotency_key_total` by outcome, over all routes, since this process was started. */
  async keyOutcomes(): Promise<ReadonlyMap<string, number>> {
    const response = await fetch(`${this.adminOrigin}/metrics`)
    const sums = new Map<string, number>()
    for (const [, labels = '', value] of (await response.text()).matchAll(/^idempotency_key_total\{(.*)\} (\S+)$/gm)) {
      const outcome = /outcome="([^"]*)"/.exec(labels)?.[1] ?? ''
      sums.set(outcome, (sums.get(outcome) ?? 0) + Number(value))
    }
    return sums
  }

  #flags(): string[] {
    const { upstream, config, dataDir } = this.#options
    return [
      ...(upstream === undefined ? [] : ['--upstream', upstream]),
      ...(config === undefined ? [] : ['--config', config]),
      '--listen', this.#listen, '--admin', this.#admin, '--data-dir', dataDir,
    ]
  }

  /** Reads on until the process ends: a full pipe would hold it up. */
  async #readyLine(child: ChildProcess): Promise<LogLine> {
    const { stdout, stderr } = child
    if (stdout === null || stderr === null) throw new Error('the sidecar was spawned without pipes')
    stderr.setEncoding('utf8').on('data', (text: string) => this.#remember(text))
    return await new Promise((resolve, reject) => {
      const overdue = setTimeout(() => {
        child.kill('SIGKILL')
        reject(this.#notReady(`was not ready within ${READY_WITHIN_MS} ms`))
      }, READY_WITHIN_MS)
      createInterface({ input: stdout }).on('line', (text) => {
        this.#remember(text)
        const line = readLine(text)
        if (line?.msg !== 'sidecar.ready') return
        clearTimeout(overdue)
        resolve(line)
      })
      child.once('close', (code) => {
        clearTimeout(overdue)
        reject(this.#notReady(`ended before it was ready (exit code ${String(code)})`))
      })
      child.once('error', (error) => {
        clearTimeout(overdue)
        reject(error)
      })
    })
  }

  #remember(text: string): void {
    this.#lastWords.push(text.trimEnd())
    if (this.#lastWords.length > LINES_KEPT) this.#lastWords.shift()
  }

  #notReady(what: string): Error {
    return new Error(`the sidecar ${what}; it said:\n${this.#lastWords.join('\n')}`)
  }
}

function readLine(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined
  const line: unknown = JSON.parse(text)
  return isLogLine(line) ? line : undefined
}

function isLogLine(line: unknown): line is LogLine {
  return typeof line === 'object' && line !== null && 'msg' in line && typeof line.msg === 'string'
}
