import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { findPostgres } from '../support/services/postgres-binaries.ts'

/*
 * The same writes by Postgres's own load generator: one INSERT of a claim and one UPDATE that completes it, each a commit. The
 * values are those of a record that the product wrote, as parameters of prepared statements; ids spread as ours do.
 */

/** What the scripts take besides the number they draw, by the names of the columns. */
export type Values = Readonly<Record<string, string>>

const RECORD = readFileSync(new URL('./pgbench/record.sql', import.meta.url), 'utf8')

/** Those of a record that the product has written to this database. */
export async function valuesOfARecord(url: string): Promise<Values> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows: [record] } = await client.query<Record<string, string>>(RECORD)
    if (record === undefined) throw new Error('the product has not completed a key yet')
    return record
  } finally {
    await client.end()
  }
}

/** Pairs of writes per second. */
export async function pairsPerSecond(url: string, values: Values, clients: number, ms: number): Promise<{ readonly perSecond: number, readonly averageMs: number }> {
  const said = await pgbench(url, 'pair', values, ['-c', String(clients), '-j', '2', '-T', String(Math.max(1, Math.round(ms / 1000)))])
  return { perSecond: figure(said, /^tps = ([\d.]+)/m), averageMs: figure(said, /^latency average = ([\d.]+) ms/m) }
}

/** Milliseconds of one INSERT on an idle server, at the median, with so many per second. */
export async function commitMs(url: string, values: Values, perSecond: number, ms: number, folder: string): Promise<number> {
  const prefix = `commits-${Date.now()}`
  await pgbench(url, 'commit', values, ['-c', '1', '-R', String(perSecond), '-T', String(Math.round(ms / 1000)), '-l', '--log-prefix', join(folder, prefix)])
  // columns 3 and 7 of the log: microseconds from when it was due, and how late it began
  const lines = readdirSync(folder).filter((name) => name.startsWith(prefix)).flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
  const times = lines.map((line) => line.split(' ').map(Number)).map((columns) => ((columns[2] ?? 0) - (columns[6] ?? 0)) / 1000).sort((a, b) => a - b)
  return times[Math.floor(times.length / 2)] ?? 0
}

function pgbench(url: string, script: string, values: Values, args: readonly string[]): Promise<string> {
  const binaries = findPostgres('any')
  if (binaries === null) throw new Error('no PostgreSQL, so no pgbench')
  const defined = Object.entries(values).flatMap(([name, value]) => ['-D', `${name}=${value}`])
  const file = join(import.meta.dirname, 'pgbench', `${script}.sql`)
  const child = spawn(join(binaries.folder, 'pgbench'), ['-n', '-M', 'prepared', '-f', file, ...defined, ...args, url], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(said) : reject(new Error(`pgbench failed: ${said}`))))
  })
}

function figure(said: string, where: RegExp): number {
  const found = where.exec(said)?.[1]
  if (found === undefined) throw new Error(`pgbench says something new: ${said}`)
  return Number(found)
}
