import { readdirSync, readFileSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { readLedger, writeLedger } from './ledger.ts'
import { prepare, prepareLedger } from './statements.ts'

const FOLDER = new URL('./migrations/', import.meta.url)

interface Migration {
  readonly number: number
  readonly name: string
}

/** 0 for a database without a schema. */
export function schemaOf(database: DatabaseSync): number {
  if (prepare(database, 'has-migrations').get() === undefined) return 0
  const row: unknown = prepare(database, 'newest-migration').get()
  return Array.isArray(row) ? Number(row[0]) : 0
}

export function newestKnown(): number {
  return known().at(-1)?.number ?? 0
}

/**
 * Forward only, each migration in a transaction of its own that inserts its row first. Whoever comes second (there is
 * one process per file, but a file may have been migrated between its inspection and its lock) finds the row there.
 */
export function migrate(database: DatabaseSync, nowMs: number): void {
  prepare(database, 'create-migrations').run()
  for (const { number, name } of known()) {
    prepare(database, 'begin').run()
    const { changes } = prepare(database, 'insert-migration').run(number, name, nowMs)
    if (changes === 1) {
      database.exec(readFileSync(new URL(name, FOLDER), 'utf8'))
      countAsCommit(database, number)
    }
    prepare(database, 'commit').run()
  }
}

/** A migration changes what was acknowledged, so it has a commit number like everything else. */
function countAsCommit(database: DatabaseSync, migration: number): void {
  const sql = prepareLedger(database)
  const ledger = migration === 1 ? { commitNumber: 0, inFlight: 0, uncertain: 0, completed: 0 } : readLedger(sql)
  writeLedger(sql, { ...ledger, commitNumber: ledger.commitNumber + 1 })
}

function known(): Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
    .map((name) => ({ number: Number(name.slice(0, 4)), name }))
}
