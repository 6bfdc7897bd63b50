import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import type { Test } from 'tap'
import { findDocker, runContainer } from './docker.ts'
import { freePort } from './free-port.ts'
import { findPostgres, postgresAccount, postgresTemplate, type PostgresBinaries, type PostgresSource } from './postgres-binaries.ts'
import { say } from './programs.ts'
import { ServerProcess, serverFolder } from './server-process.ts'

export interface PostgresOptions {
  /** as in postgresql.conf; fsync is on unless it says otherwise */
  readonly settings?: Readonly<Record<string, string | number>>
  /** `npm`: PostgreSQL 18 as npm brings it, whatever the machine has */
  readonly from?: PostgresSource
}

export interface PostgresServer {
  /** of the database `postgres`, as a superuser */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly version: string
  /** the URL of a new empty database */
  createDatabase(): Promise<string>
  /** runs a statement as the superuser on a connection of its own */
  query(sql: string): Promise<Record<string, unknown>[]>
  /** a physical standby that follows this server and calls itself `name` */
  standby(t: Pick<Test, 'teardown'>, name: string, options?: PostgresOptions): Promise<PostgresServer>
  /** ends recovery; resolves once it takes writes */
  promote(): Promise<void>
  kill(): Promise<void>
  /** a fast shutdown: transactions are rolled back, connections told (57P01), everything written */
  shutDown(): Promise<void>
  pause(): void
  resume(): void
  /** after a kill or a stop of the postmaster: the same port and data, other settings if there are any */
  restart(settings?: PostgresOptions['settings']): Promise<void>
  stop(): Promise<void>
  log(): string
}

const execute = promisify(execFile)

const DEFAULTS = { listen_addresses: '127.0.0.1', unix_socket_directories: '', shared_buffers: '32MB', max_connections: 100, log_checkpoints: 'off', lc_messages: 'C', timezone: 'UTC' }

let shared: Promise<string> | null = null
let databases = 0

export function postgresIsAtHand(): boolean {
  return process.env['ONCEWARD_TEST_POSTGRES'] !== undefined || findPostgres('any') !== null || findDocker() !== null
}

/**
 * The URL of an empty database of the test's own: on ONCEWARD_TEST_POSTGRES if that is set, else on one server for this
 * process that ends with it.
 */
export async function postgresUrl(): Promise<string> {
  return createDatabaseAt(await (shared ??= sharedServer()))
}

async function sharedServer(): Promise<string> {
  const given = process.env['ONCEWARD_TEST_POSTGRES']
  if (given !== undefined) {
    say('Postgres: the one of ONCEWARD_TEST_POSTGRES')
    return given
  }
  const binaries = findPostgres('any')
  if (binaries !== null) return (await launch(binaries, {})).url
  const { port } = runContainer('postgres:17', 5432, ['-e', 'POSTGRES_HOST_AUTH_METHOD=trust'])
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  await answers(url, 60_000)
  return url
}

/** A server of the test's own, which it may kill, stop and set as it likes. Gone with the test. */
export async function startPostgres(t: Pick<Test, 'teardown'>, options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = findPostgres(options.from ?? 'any')
  if (binaries === null) throw new Error('no PostgreSQL binaries: see needs()')
  const server = await launch(binaries, options.settings ?? {})
  t.teardown(() => server.stop())
  return server
}

async function launch(binaries: PostgresBinaries, settings: NonNullable<PostgresOptions['settings']>): Promise<PostgresServer> {
  say(`Postgres ${binaries.version} of ${binaries.from} (${binaries.folder})`)
  const account = postgresAccount()
  const folder = serverFolder('postgres', account)
  await execute('cp', ['-a', '--', postgresTemplate(binaries, account), join(folder, 'data')])
  return run(binaries, folder, settings)
}

async function run(binaries: PostgresBinaries, folder: string, settings: NonNullable<PostgresOptions['settings']>): Promise<PostgresServer> {
  const account = postgresAccount()
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const data = join(folder, 'data')
  const configure = (more: NonNullable<PostgresOptions['settings']>): void => {
    const lines = Object.entries({ ...DEFAULTS, ...settings, ...more, port }).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`)
    writeFileSync(join(data, 'onceward.conf'), `${lines.join('\n')}\n`)
  }
  configure({})
  writeFileSync(join(data, 'postgresql.conf'), "include 'onceward.conf'\n")
  const process = new ServerProcess({ name: 'Postgres', program: join(binaries.folder, 'postgres'), args: ['-D', data], account, folder, probe: () => answers(url, 0), stopSignal: 'SIGQUIT' })
  await process.start()
  return {
    url, port, host: '127.0.0.1', version: binaries.version,
    createDatabase: () => createDatabaseAt(url),
    query: (sql) => queryAt(url, sql),
    async standby(t, name, options = {}) {
      const home = serverFolder('postgres', account)
      await execute(join(binaries.folder, 'pg_basebackup'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-D', join(home, 'data'), '-X', 'stream', '-c', 'fast'], { cwd: home, ...account })
      writeFileSync(join(home, 'data', 'standby.signal'), '')
      const server = await run(binaries, home, { ...options.settings, primary_conninfo: `host=127.0.0.1 port=${port} user=postgres application_name=${name}` })
      t.teardown(() => server.stop())
      return server
    },
    promote: async () => { await queryAt(url, 'SELECT pg_promote(true, 30)') },
    kill: () => process.kill(),
    shutDown: () => process.end('SIGINT'),
    pause: () => process.pause(),
    resume: () => process.resume(),
    async restart(more = {}) {
      await process.kill()
      configure(more)
      await process.start()
    },
    stop: () => process.stop(),
    log: () => process.log(),
  }
}

async function createDatabaseAt(url: string): Promise<string> {
  databases += 1
  const name = `onceward_test_${process.pid}_${Date.now().toString(36)}_${databases}`
  await queryAt(url, `CREATE DATABASE ${name}`)
  const fresh = new URL(url)
  fresh.pathname = `/${name}`
  return fresh.href
}

async function queryAt(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000, query_timeout: 10_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    void client.end().catch(() => undefined) // never waited for: to a server that hangs it never ends
  }
}

async function answers(url: string, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs
  for (;;) {
    try {
      await queryAt(url, 'SELECT 1')
      return
    } catch (error) {
      if (Date.now() >= deadline) throw error
    }
    await new Promise((resolve) => { setTimeout(resolve, 100) })
  }
}
