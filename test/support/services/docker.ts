import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { say } from './programs.ts'

/*
 * The last resort, for machines without packages: a container with the server, gone with this process. Tests that kill
 * and stop servers need binaries and are not served from here.
 */

let engine: boolean | null = null

/** `docker` if an engine answers. */
export function findDocker(): string | null {
  engine ??= spawnSync('docker', ['info'], { timeout: 5000, stdio: 'ignore' }).status === 0
  return engine ? 'docker' : null
}

export function runContainer(image: string, port: number, options: readonly string[]): { readonly port: number } {
  say(`docker: ${image}`)
  const id = execFileSync('docker', ['run', '-d', '--rm', '-p', `127.0.0.1::${port}`, ...options, image], { encoding: 'utf8', timeout: 120_000 }).trim()
  const watcher = spawn('sh', ['-c', 'cat >/dev/null; docker rm -f "$1"', 'watch', id], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  watcher.unref()
  if ('unref' in watcher.stdin && typeof watcher.stdin.unref === 'function') watcher.stdin.unref()
  const mapped = execFileSync('docker', ['port', id, String(port)], { encoding: 'utf8' })
  return { port: Number(/:(\d+)/.exec(mapped)?.[1]) }
}
