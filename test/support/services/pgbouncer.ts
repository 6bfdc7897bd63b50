import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { postgresAccount } from './postgres-binaries.ts'
import { findOrInstall, findProgram, say } from './programs.ts'
import { ServerProcess, serverFolder } from './server-process.ts'

export interface PgBouncer {
  /** the database of the given URL, through the bouncer */
  readonly url: string
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

export function findPgBouncer(): string | null {
  return findOrInstall(() => findProgram('pgbouncer'), 'pgbouncer')
}

/** A PgBouncer in transaction mode before the server of this URL. */
export async function startPgBouncer(t: Test, postgresUrl: string, settings: Readonly<Record<string, string | number>> = {}): Promise<PgBouncer> {
  const program = findPgBouncer()
  if (program === null) throw new Error('no PgBouncer: see needs()')
  say(`PgBouncer of the machine (${program})`)
  const account = postgresAccount()
  const folder = serverFolder('pgbouncer', account)
  const port = await freePort()
  const behind = new URL(postgresUrl)
  const lines = { listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'any', pool_mode: 'transaction', default_pool_size: 20, max_client_conn: 500, ignore_startup_parameters: 'extra_float_digits', ...settings }
  const database = `* = host=${behind.hostname} port=${behind.port || 5432} user=${behind.username || 'postgres'}${behind.password === '' ? '' : ` password=${decodeURIComponent(behind.password)}`}`
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, `[databases]\n${database}\n[pgbouncer]\n${Object.entries(lines).map(([name, value]) => `${name} = ${value}`).join('\n')}\n`)
  const url = `postgres://postgres@127.0.0.1:${port}${behind.pathname}`
  const probe = async (): Promise<void> => {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.query('SELECT 1')
    } finally {
      await client.end()
    }
  }
  const process = new ServerProcess({ name: 'PgBouncer', program, args: [file], account, folder, probe, stopSignal: 'SIGTERM' })
  await process.start()
  t.teardown(() => process.stop())
  return { url, kill: () => process.kill(), restart: async () => { await process.kill(); await process.start() }, stop: () => process.stop() }
}
