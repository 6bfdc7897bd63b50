import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, statfsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { reasonOf } from './faults.ts'
import { lockHolder, sizeOf, type StoreFiles } from './files.ts'
import { readLedger } from './ledger.ts'
import { migrate, newestJournaled, newestKnown, schemaOf } from './migrate.ts'
import { prepareLedger } from './statements.ts'
import { createWitness, readWitness } from './witness.ts'

/** The store does not start; the message tells an operator why, and what to do. */
export class Refused extends Error {}

/**
 * A checkpoint every 16 MiB of log: random keys touch the same index pages again and again, and a longer log writes
 * each of them back once. Recovery reads a log of this size in some 20 ms.
 */
const CHECKPOINT_PAGES = 4096

const SETTINGS = `
  pragma locking_mode = exclusive;
  pragma synchronous = full;
  pragma fullfsync = on;
  pragma checkpoint_fullfsync = on;
  pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};
  pragma cache_size = -8000;
  pragma cell_size_check = on;
  pragma temp_store = memory;
  pragma trusted_schema = off;
`

/**
 * The order matters: look without touching, so that a refused start leaves the files as evidence; then take the lock;
 * then look again, since another process may have come and gone; only then write.
 */
export function openDatabase(files: StoreFiles, dataDir: string, quickCheckUpToBytes: number, nowMs: number): DatabaseSync {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  if (sizeOf(files.database) === 0) {
    refuseIfOnceThere(files)
    createWitness(files.witness)
  } else {
    inspect(files, quickCheckUpToBytes)
  }
  return lockAndSettle(files, nowMs)
}

/** Takes the file for this process, and puts everything that may not be durable into the database, with fsync. */
export function lockAndSettle(files: StoreFiles, nowMs: number): DatabaseSync {
  return guarded(files, () => new DatabaseSync(files.database, { timeout: 0 }), (database) => {
    database.exec(SETTINGS)
    const mode = database.prepare('pragma journal_mode = wal').get()?.['journal_mode']
    if (mode !== 'wal') throw new Refused(`${files.database} cannot have a write-ahead log here (journal_mode is ${String(mode)})`)
    database.exec('begin exclusive; commit')
    refuseIfBehind(files, database)
    // Left by the inspection; in exclusive mode the log's index is in memory.
    rmSync(`${files.database}-shm`, { force: true })
    migrate(database, nowMs)
    putIntoDatabase(database, files)
    return database
  }, 'on-failure')
}

/** Where the disk may have no room for it the log stays as it is, and is made as durable there. */
function putIntoDatabase(database: DatabaseSync, files: StoreFiles): void {
  const { bavail, bsize } = statfsSync(files.database)
  if (sizeOf(files.log) < bavail * bsize) {
    database.exec('pragma wal_checkpoint(truncate)')
    return
  }
  const log = openSync(files.log, 'r')
  fsyncSync(log)
  closeSync(log)
}

function inspect(files: StoreFiles, quickCheckUpToBytes: number): void {
  guarded(files, () => new DatabaseSync(files.database, { readOnly: true, timeout: 0 }), (database) => {
    refuseIfBehind(files, database)
    if (sizeOf(files.database) + sizeOf(files.log) > quickCheckUpToBytes) return
    const findings = database.prepare('pragma quick_check(1)').all()
    const finding = String(findings[0]?.['quick_check'])
    if (finding !== 'ok') throw new Refused(`${files.database} is damaged: ${finding}. Restore it together with its log and witness.`)
  }, 'always')
}

function refuseIfOnceThere(files: StoreFiles): void {
  const witness = readWitness(files.witness)
  if (witness.kind === 'damaged') throw new Refused(damagedWitness(files))
  if (witness.kind === 'saw' && witness.commitNumber > 0) {
    throw new Refused(`${files.database} is gone, but ${files.witness} has seen its commit ${witness.commitNumber}. ${advice(files)}`)
  }
}

function refuseIfBehind(files: StoreFiles, database: DatabaseSync): void {
  const schema = schemaOf(database)
  if (schema > newestKnown()) {
    throw new Refused(`${files.database} has schema ${schema}, and this version of onceward knows schemas up to ${newestKnown()}. Start the newer version.`)
  }
  const commitNumber = schema === 0 ? 0 : newestJournaled(database) ?? readLedger(prepareLedger(database)).commitNumber
  const witness = readWitness(files.witness)
  switch (witness.kind) {
    case 'none': throw new Refused(`${files.witness} is gone, so nothing can tell whether ${files.database} is whole. ${advice(files)}`)
    case 'damaged': throw new Refused(damagedWitness(files))
    case 'saw': {
      if (commitNumber >= witness.commitNumber) return
      throw new Refused(`${files.database} ends with commit ${commitNumber}, but commit ${witness.commitNumber} was acknowledged: `
        + `its log is damaged or gone, or an old copy was put back. ${advice(files)}`)
    }
    default: witness satisfies never
  }
}

function damagedWitness(files: StoreFiles): string {
  return `${files.witness} is damaged, so nothing can tell whether ${files.database} is whole. ${advice(files)}`
}

function advice(files: StoreFiles): string {
  return `Starting would run keys again that were answered. Restore database, log and witness together, or move all ${files.database}* `
    + `and ${files.witness} away to start empty, knowing that every key is then new.`
}

/** Turns every failure into a Refused that names the file, and closes what must not stay open. */
function guarded<Result>(files: StoreFiles, open: () => DatabaseSync, use: (database: DatabaseSync) => Result, close: 'always' | 'on-failure'): Result {
  let database: DatabaseSync | undefined
  let done = false
  try {
    database = open()
    const result = use(database)
    done = true
    return result
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(explain(files, error), { cause: error })
  } finally {
    if (database !== undefined && (close === 'always' || !done)) database.close()
  }
}

function explain(files: StoreFiles, error: unknown): string {
  const reason = reasonOf(error)
  if (reason.kind !== 'locked') return `${files.database} cannot be opened: ${reason.detail}`
  const holder = lockHolder(files.database)
  return `${files.database} is in use by ${holder === undefined ? 'another process' : `process ${holder}`}; an embedded store belongs to one process`
}
