import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { findPostgres } from '../support/services/postgres-binaries.ts'
import { startPostgres, type PostgresServer } from '../support/services/postgres.ts'
import type { Scene } from './scene.ts'

/** What a server of production has beside the defaults, and no checkpoint in the midst of some rounds and not of others. */
const SETTINGS = { shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '30min', max_connections: 200 }

const TOLD = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'wal_level', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'commit_delay', 'autovacuum']

export interface Server {
  readonly postgres: PostgresServer
  /** what a synced write of 8 KB takes on the disk that its data is on, by pg_test_fsync and the server's wal_sync_method */
  readonly fsyncMs: number
  /** the server, its disk and its settings, in two lines */
  readonly description: string
}

export async function startServer(scene: Scene, settings: Readonly<Record<string, string | number>> = {}): Promise<Server> {
  const postgres = await startPostgres(scene, { settings: { ...SETTINGS, ...settings } })
  const rows = await postgres.query(`select name, current_setting(name) as value from pg_settings where name in (${TOLD.map((name) => `'${name}'`).join(', ')})`)
  const values = new Map(rows.map(({ name, value }) => [String(name), String(value)]))
  const method = values.get('wal_sync_method') ?? ''
  const fsyncMs = await syncMs(method, scene.folder)
  const told = TOLD.map((name) => `${name}=${values.get(name)}`).join(' ')
  return { postgres, fsyncMs, description: `PostgreSQL ${postgres.version}: ${told}\npg_test_fsync: one 8kB write with ${method} takes ${fsyncMs.toFixed(3)} ms\n` }
}

/** The server's folder lies beside that of the scene, on the same disk. */
function syncMs(method: string, folder: string): Promise<number> {
  const child = spawn(join(findPostgres('any')?.folder ?? '', 'pg_test_fsync'), ['-s', '1', '-f', join(folder, 'fsync')], { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.includes('two 8kB')) child.kill('SIGTERM') // the rest takes another half minute
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      const found = new RegExp(`^ +${method} .*?(\\d+) usecs/op`, 'm').exec(said)?.[1]
      if (found === undefined) reject(new Error(`pg_test_fsync says nothing of ${method}: ${said}`))
      else resolve(Number(found) / 1000)
    })
  })
}
