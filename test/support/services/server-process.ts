import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, chownSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/*
 * A real server of a test, in a folder of its own that goes with it.
 *
 *     (down) --start--> up --kill--> (down)       SIGKILL, as if the power went; the data stays
 *                        |--pause--> hung --resume--> up
 *                        |--end----> (down)       as it wishes to
 *                        '--stop---> gone         the data too
 *
 * A watcher (a shell that reads from this process) outlives us however we end: when its input closes, it kills what
 * is left and removes the folder. So a test that is killed, or that crashes, leaves no server behind.
 */

/** Whose rights a server runs with; Postgres refuses to run as root. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

export interface ServerSpec {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  readonly account: Account | null
  readonly folder: string
  /** tries once; resolves when the server answers */
  readonly probe: () => Promise<void>
  /** how it is told to end at once, losing nothing that matters to a test */
  readonly stopSignal: NodeJS.Signals
}

const READY_WITHIN_MS = 30_000
const PROBE_EVERY_MS = 15
const LOG_KEPT_CHARACTERS = 2000

const WATCH = 'pids=; while read -r line; do pids=$line; done; [ -z "$pids" ] || { kill -9 $pids; sleep 0.3; }; rm -rf "$1"'

export class ServerProcess {
  readonly #spec: ServerSpec
  readonly #watcher: ChildProcess
  #child: ChildProcess | null = null
  #ended: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | null = null

  constructor(spec: ServerSpec) {
    this.#spec = spec
    this.#watcher = spawn('sh', ['-c', WATCH, 'watch', spec.folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    this.#watcher.unref()
    this.#watcher.stdin?.on('error', () => undefined)
    const input = this.#watcher.stdin
    if (input !== null && 'unref' in input && typeof input.unref === 'function') input.unref()
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** What the server has said so far. */
  log(): string {
    const file = join(this.#spec.folder, 'log')
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  async start(): Promise<void> {
    if (this.#child !== null) return
    const { program, args, account, folder } = this.#spec
    const log = openSync(join(folder, 'log'), 'a')
    const child = spawn(program, args, { stdio: ['ignore', log, log], cwd: folder, detached: true, env: { ...process.env, LC_ALL: 'C' }, ...account })
    closeSync(log)
    child.unref()
    this.#child = child
    let failure: Error | null = null
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#child = null
        resolve()
      }).once('error', (error) => {
        failure = error
        this.#child = null
        resolve()
      })
    })
    this.#watch([child.pid])
    const deadline = Date.now() + READY_WITHIN_MS
    for (;;) {
      try {
        await this.#spec.probe()
        return
      } catch (error) {
        if (this.#child === null || Date.now() > deadline) {
          throw new Error(`${this.#spec.name} did not start: ${String(failure ?? error)}\n${this.log().slice(-LOG_KEPT_CHARACTERS)}`, { cause: error })
        }
      }
      await new Promise((resolve) => { setTimeout(resolve, PROBE_EVERY_MS) })
    }
  }

  /** kill -9 of the whole server; resolves once it is gone. */
  async kill(): Promise<void> {
    this.#child?.ref()
    this.#signalAll('SIGKILL')
    await this.#ended
    this.#watch([])
  }

  /** Tells the server to end by itself, losing nothing; resolves once it has. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child?.ref()
    this.#child?.kill(signal)
    await this.#ended
    this.#watch([])
  }

  /** SIGSTOP of the whole server: connections stay open and nothing answers. */
  pause(): void {
    this.#signalAll('SIGSTOP')
    this.#watch(this.#all())
  }

  resume(): void {
    this.#signalAll('SIGCONT')
  }

  /** Ends it and removes its data. May be called twice. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop()
  }

  async #stop(): Promise<void> {
    this.resume()
    this.#child?.ref()
    this.#child?.kill(this.#spec.stopSignal)
    const impatient = setTimeout(() => this.#signalAll('SIGKILL'), 3000)
    await this.#ended
    clearTimeout(impatient)
    this.#watch([])
    this.#watcher.ref()
    const watched = new Promise((resolve) => { this.#watcher.once('exit', resolve) })
    this.#watcher.stdin?.end()
    if (this.#watcher.exitCode === null) await watched
    rmSync(this.#spec.folder, { recursive: true, force: true })
  }

  /** The server first, so that it makes no further children. */
  #signalAll(signal: NodeJS.Signals): void {
    for (const pid of this.#all()) {
      try {
        process.kill(pid, signal)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
      }
    }
  }

  #all(): number[] {
    return this.pid === undefined ? [] : [this.pid, ...childrenOf(this.pid)]
  }

  #watch(pids: readonly (number | undefined)[]): void {
    this.#watcher.stdin?.write(`${pids.join(' ')}\n`)
  }
}

/** A folder below the system's temporary one which the account may write. */
export function serverFolder(name: string, account: Account | null): string {
  const folder = mkdtempSync(join(tmpdir(), `onceward-${name}-`))
  if (account !== null) chownSync(folder, account.uid, account.gid)
  return folder
}

/** Children of a process by /proc; where there is none, killing the server itself must do. */
function childrenOf(parent: number): number[] {
  if (!existsSync('/proc/self/stat')) return []
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
    } catch {
      return false // it ended in between
    }
  })
}
