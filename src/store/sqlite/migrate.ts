import { readdirSync, readFileSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { readJournal, writeJournal } from './journal.ts'
import { readLedger, writeLedger } from './ledger.ts'
import { hashOf } from './rows.ts'
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
  database.function('crc32', { deterministic: true }, (text) => hashOf(String(text)))
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
  const journaled = newestJournaled(database)
  if (journaled === null) {
    writeLedger(sql, { ...ledger, commitNumber: ledger.commitNumber + 1 })
    return
  }
  // A crash has left commits in the journal, and the next number is the one behind them.
  const last = readJournal({ journal: prepare(database, 'journal') }, ledger).ledger
  writeJournal({ 'insert-journal': prepare(database, 'insert-journal') }, { ...last, commitNumber: journaled + 1 }, [])
}

/** The number of the last commit in the journal; null if it is empty, or not there yet. */
export function newestJournaled(database: DatabaseSync): number | null {
  if (prepare(database, 'has-journal').get() === undefined) return null
  const row: unknown = prepare(database, 'newest-journal').get()
  const newest: unknown = Array.isArray(row) ? row[0] : null
  return typeof newest === 'number' ? newest : null
}

function known(): Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
    .map((name) => ({ number: Number(name.slice(0, 4)), name }))
}
