import { readdirSync, readFileSync } from 'node:fs'
import type { Client } from 'pg'
import type { Clock, Journal, Random } from '../../core/ports.ts'
import { withClient } from './single-connection.ts'
import { filled, readStatement } from './statements.ts'

/*
 * Forward only. Each migration is a transaction that inserts its own row first: of several who come at once the others wait
 * for that row, find it there and have nothing to do. None waits for a lock on a busy table for longer than lock-timeout.sql
 * says, since everybody behind it would wait too; it comes again a little later.
 */

const FOLDER = new URL('./migrations/', import.meta.url)

/** A file that begins with this makes tables that an older program can neither read nor write. */
const BREAKING = '-- breaking'

/** How long the whole of it may stand in line: an installation of many replicas, each for a moment. */
const PATIENCE_MS = 60_000
const LONGEST_PAUSE_MS = 500

/** Serialization, deadlock, lock timeout; and what `if not exists` says when two make the same thing at one time. */
const COMES_AGAIN = ['40001', '40P01', '55P03', '23505', '42P06', '42P07', '42710', 'XX000']

interface Migration {
  readonly number: number
  readonly name: string
  readonly text: string
  readonly breaking: boolean
}

interface Applied {
  readonly number: number
  readonly breaking: boolean
}

export interface MigrateOptions {
  readonly url: string
  readonly schema: string
  /** parts of the key table; looked at when it is made, and never again */
  readonly partitions: number
  readonly clock: Clock
  readonly random: Random
  readonly journal: Pick<Journal, 'info'>
}

/** Returns the names of what was applied now. Rejects with an Error that says what to do. */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  return withClient(options.url, options.clock, async (client) => {
    await patiently(client, options, () => prepareLedger(client, options.schema))
    const applied = await ledger(client, options.schema)
    refuseNewer(applied)
    const done: string[] = []
    for (const migration of known()) {
      if (applied.some(({ number }) => number === migration.number)) continue
      const mine = await patiently(client, options, () => apply(client, migration, options))
      if (!mine) continue
      options.journal.info('store.migrated', { migration: migration.name })
      done.push(migration.name)
    }
    return done
  })
}

/** For a start that must not migrate: the schema is what this program needs, or an Error says what to do. */
export async function requireSchema(url: string, schema: string, clock: Clock): Promise<void> {
  const applied = await withClient(url, clock, async (client) => (await hasLedger(client, schema) ? ledger(client, schema) : []))
  refuseNewer(applied)
  const missing = known().filter(({ number }) => !applied.some((row) => row.number === number))
  if (missing.length > 0) throw new Error(`the database lacks ${missing.map(({ name }) => name).join(', ')}: run \`onceward migrate\`, or write store: { migrate: at_start }`)
}

function refuseNewer(applied: readonly Applied[]): void {
  const newest = known().at(-1)?.number ?? 0
  const strange = applied.find(({ number, breaking }) => number > newest && breaking)
  if (strange !== undefined) throw new Error(`the database has migration ${strange.number}, which this version of onceward does not know and cannot work with: it needs the version that made it, or a newer one`)
}

/** False if somebody else did it. */
async function apply(client: Client, migration: Migration, { schema, partitions }: MigrateOptions): Promise<boolean> {
  const { number, name, breaking, text } = migration
  await run(client, 'begin', schema)
  try {
    await run(client, 'lock-timeout', schema)
    const { rowCount } = await run(client, 'insert-migration', schema, [number, name, breaking])
    if (rowCount === 1) {
      await client.query(filled(text, { schema, partitioned: partitions > 1 ? 'partition by hash (id)' : '', unique: partitions > 1 ? '' : 'unique' }))
      if (number === 1) await layOut(client, schema, partitions)
      if (number === 3) await run(client, 'tune-outbox', schema)
    }
    await run(client, 'commit', schema)
    return rowCount === 1
  } catch (error) {
    await run(client, 'rollback', schema)
    throw error
  }
}

/** Storage parameters belong to tables with rows, and a partitioned table has none. */
async function layOut(client: Client, schema: string, partitions: number): Promise<void> {
  const parts = partitions > 1 ? Array.from({ length: partitions }, (_, n) => `key_record_${n}`) : ['key_record']
  for (const [n, partition] of parts.entries()) {
    if (partitions > 1) await client.query(readStatement('create-partition', schema, { partition, modulus: String(partitions), remainder: String(n) }).text)
    await client.query(readStatement('tune-table', schema, { partition }).text)
  }
  await run(client, 'tune-unsettled', schema)
}

async function prepareLedger(client: Client, schema: string): Promise<void> {
  // an account that may not create schemas can use one that somebody made for it
  if (await hasLedger(client, schema)) return
  await run(client, 'create-schema', schema)
  await run(client, 'create-migrations', schema)
}

async function hasLedger(client: Client, schema: string): Promise<boolean> {
  const { rows } = await run(client, 'has-schema', schema)
  return rows[0]?.[0] === 't'
}

async function ledger(client: Client, schema: string): Promise<Applied[]> {
  const { rows } = await run(client, 'migrations', schema)
  return rows.map(([number, , breaking]) => ({ number: Number(number), breaking: breaking === 't' }))
}

async function patiently<T>(client: Client, { clock, random }: MigrateOptions, work: () => Promise<T>): Promise<T> {
  const until = clock.monotonicMs() + PATIENCE_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (code === '42501' && error instanceof Error) throw new Error(`the database account may not make the schema: ${error.message}. Grant it, or let another account run \`onceward migrate\``, { cause: error })
      if (!COMES_AGAIN.includes(code) || clock.monotonicMs() >= until) throw error
    }
    await new Promise<void>((resolve) => { clock.after(random.uniform() * LONGEST_PAUSE_MS, resolve) })
  }
}

function run(client: Client, name: string, schema: string, values: unknown[] = []) {
  return client.query<(string | null)[]>({ text: readStatement(name, schema).text, values, rowMode: 'array' })
}

function known(): Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
    .map((name) => {
      const text = readFileSync(new URL(name, FOLDER), 'utf8')
      return { number: Number(name.slice(0, 4)), name, text, breaking: text.startsWith(BREAKING) }
    })
}
