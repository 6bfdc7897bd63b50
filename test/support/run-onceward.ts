import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Test } from 'tap'

const MAIN = resolve(import.meta.dirname, '../../src/onceward.js')

/** The product as an operator starts it, with everything it says. */
export interface Run {
  /** resolves with the address once the process says that it is ready */
  readonly ready: Promise<string>
  readonly ended: Promise<{ code: number | null, output: string }>
  signal(name: NodeJS.Signals): void
  /** resolves once the log has this event, for the nth time */
  logged(event: string, nth?: number): Promise<void>
  /** everything said so far, on both streams */
  output(): string
}

export function run(t: Test, args: readonly string[], environment: NodeJS.ProcessEnv = {}, before: readonly string[] = []): Run {
  const child = spawn(process.execPath, [...before, MAIN, ...args], { env: { PATH: process.env['PATH'], ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  const waiting: (() => void)[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      for (const look of [...waiting]) look()
    })
  }
  const seen = <T>(pattern: RegExp, take: (match: RegExpExecArray) => T): Promise<T> => new Promise((found) => {
    const look = (): void => {
      const match = pattern.exec(output)
      if (match !== null) found(take(match))
    }
    waiting.push(look)
    look()
  })
  return {
    ready: seen(/"address":"([^"]+)".*"sidecar\.ready"/, (match) => match[1] ?? ''),
    ended: once(child, 'close').then(([code]: unknown[]) => ({ code: code as number | null, output })),
    signal: (name) => void child.kill(name),
    logged: (event, nth = 1) => seen(new RegExp(`(?:"${event}"[^]*?){${nth}}`), () => undefined),
    output: () => output,
  }
}
