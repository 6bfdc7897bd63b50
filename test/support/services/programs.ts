import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What Debian calls the packages; newer or other systems have the programs on their path. */
export type Package = 'postgresql' | 'redis-server' | 'pgbouncer' | 'prometheus' | 'default-jre-headless' | 'maven'

/** An installation takes about 20 s; a mirror that hangs must not hang the tests. */
const INSTALL_WITHIN_MS = 150_000

const said = new Set<string>()

/** Says once, where a reader of the test's output sees it. */
export function say(text: string): void {
  if (said.has(text)) return
  said.add(text)
  process.stderr.write(`# services: ${text}\n`)
}

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** The first program of this name on the path or in one of the folders. */
export function findProgram(name: string, folders: readonly string[] = []): string | null {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', ...folders]) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return null
}

/** Folders of Debian's PostgreSQL versions, newest first. */
export function debianPostgresFolders(): string[] {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return []
  return readdirSync(root).filter((name) => existsSync(join(root, name, 'bin', 'postgres')))
    .sort((a, b) => Number(b) - Number(a)).map((name) => join(root, name, 'bin'))
}

/** Finds a program, or installs its package where we may, and finds it then. */
export function findOrInstall(find: () => string | null, debianPackage: Package): string | null {
  const found = find()
  if (found !== null || !isRoot() || findProgram('apt-get') === null || said.has(`failed ${debianPackage}`)) return found
  say(`installing the Debian package ${debianPackage}`)
  const { status } = spawnSync('sh', [join(import.meta.dirname, 'install-debian.sh'), debianPackage], { timeout: INSTALL_WITHIN_MS, stdio: 'ignore' })
  if (status !== 0) said.add(`failed ${debianPackage}`)
  return find()
}
