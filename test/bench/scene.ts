import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder and processes that go when the run ends, last come first. The services of test/support hang on it as on a test. */
export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'onceward-bench-'))
  readonly #endings: (() => unknown)[] = []

  teardown(ending: () => unknown): void {
    this.#endings.push(ending)
  }

  /** Killed, and waited for, at the end. */
  keep(child: ChildProcess): void {
    this.teardown(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => { child.once('exit', resolve) })
      child.kill('SIGTERM')
      await ended
    })
  }

  async end(): Promise<void> {
    for (const ending of this.#endings.splice(0).toReversed()) await ending()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export interface Target { readonly port: number, readonly pid: number }

/** A script of this folder that says its port once it listens. */
export async function forked(scene: Scene, file: string, args: readonly string[]): Promise<Target> {
  const child = fork(join(import.meta.dirname, file), args)
  scene.keep(child)
  const { port } = await told<{ port: number }>(child, file)
  return { port, pid: child.pid ?? 0 }
}

/** The one message of a script of this folder that ends by itself. */
export function ran<Message>(file: string, args: readonly (string | number)[]): Promise<Message> {
  return told<Message>(fork(join(import.meta.dirname, file), args.map(String)), file)
}

function told<Message>(child: ChildProcess, file: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Message))
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} and without a word`)))
  })
}
