import type { DatabaseSync } from 'node:sqlite'
import { closeSync } from 'node:fs'
import { reasonOf } from './faults.ts'
import { FileWatch, filesIn, type StoreFiles } from './files.ts'
import { Folding, type Transact } from './folding.ts'
import { KeyRows } from './key-rows.ts'
import { openDatabase, lockAndSettle, Refused } from './opening.ts'
import { perform } from './operations.ts'
import { prepareAll, type Statements } from './statements.ts'
import { Bodies, fromJson, toJson, unpack, type Answer, type Answers, type Batch, type Call, type FoldingSizes, type WorkerOptions } from './wire.ts'
import { openWitness, writeWitness } from './witness.ts'

/*
 * One batch is one transaction, one fsync and one look at the files:
 *
 *     files still ours? --> BEGIN --> each call --> number --> COMMIT (fsync) --> files still ours? --> witness --> answers
 *           |                            |                        |                    |
 *          'no', from now on          ROLLBACK, and each       'unknown', then     'unknown', and 'no'
 *                                     call once more alone     open again          from now on
 *
 * A call that fails is rolled back with its whole batch, and nobody was told anything yet; so every call simply runs
 * again in a transaction of its own, and the one at fault fails alone. So does a full disk: what only reads is answered.
 */

type End = { readonly kind: 'answered', readonly answers: Answer[] } | { readonly kind: 'failed', readonly written: 'no' | 'unknown', readonly full: boolean, readonly detail: string }

export class Engine {
  readonly #files: StoreFiles
  #database: DatabaseSync
  #sql: Statements
  #rows: KeyRows
  #folding: Folding
  readonly #sizes: FoldingSizes
  #watch: FileWatch
  readonly #witness: number
  /** why nothing is answered any more; only a new start looks at the files afresh */
  #lost: string | undefined
  /** an error left SQLite's memory and the disk in doubt about one another */
  #suspect = false
  /** the disk had no room for the last transaction */
  #full = false

  /** Throws Refused. */
  constructor({ dataDir, quickCheckUpToBytes, folding }: WorkerOptions, nowMs: number) {
    this.#sizes = folding
    this.#files = filesIn(dataDir)
    this.#database = openDatabase(this.#files, dataDir, quickCheckUpToBytes, nowMs)
    this.#sql = prepareAll(this.#database)
    this.#rows = rowsOf(this.#sql, this.#files)
    this.#folding = new Folding(this.#rows, this.#sizes)
    this.#witness = openWitness(this.#files.witness)
    writeWitness(this.#witness, this.#rows.commitNumber)
    this.#watch = new FileWatch(this.#files)
  }

  run([nowMs, text, lengths, packed]: Batch): Answers {
    const calls = fromJson(text)
    const incoming = unpack(lengths, packed)
    let outgoing = new Bodies()
    let end = this.#transact(calls, nowMs, incoming, outgoing)
    if (end.kind === 'failed' && end.full) this.#makeRoom()
    if (end.kind === 'failed' && end.written === 'no' && (calls.length > 1 || end.full)) {
      outgoing = new Bodies()
      end = { kind: 'answered', answers: calls.flatMap((call) => answersOf(this.#transact([call], nowMs, incoming, outgoing), 1)) }
    }
    this.#folding.grown(calls.length, packed.length)
    return [toJson(answersOf(end, calls.length)), outgoing.lengths, outgoing.packed()]
  }

  /** Between two batches: moves some young records to the table, when that is due. */
  fold(nowMs: number): void {
    if (this.#folding.isDue() && this.#unfit(nowMs) === undefined) this.#folding.step((work) => this.#quietly(work))
  }

  /** SQLite checkpoints and deletes its log on closing. */
  close(): void {
    if (this.#database.isOpen && !this.#suspect && !this.#full && this.#lost === undefined) this.#folding.finish((work) => this.#quietly(work))
    if (this.#database.isOpen) this.#database.close()
    closeSync(this.#witness)
  }

  #transact(calls: readonly Call[], nowMs: number, incoming: readonly Uint8Array[], outgoing: Bodies): End {
    const unfit = this.#unfit(nowMs)
    if (unfit !== undefined) return { kind: 'failed', written: 'no', full: false, detail: unfit }
    const step = { rows: this.#rows, nowMs, incoming, outgoing }
    let answers: Answer[]
    let changed: boolean
    try {
      this.#rows.begin()
      answers = calls.map((call) => perform(call, step))
      changed = this.#rows.seal()
    } catch (error) {
      return this.#rolledBack(error)
    }
    try {
      this.#rows.commit()
    } catch (error) {
      return this.#notCommitted(error)
    }
    return this.#acknowledge(answers, changed)
  }

  /** Looks at the files once more: a commit into a file that nobody will find again is none. */
  #acknowledge(answers: Answer[], changed: boolean): End {
    this.#lost = this.#watch.lost()
    if (this.#lost !== undefined) return { kind: 'failed', written: 'unknown', full: false, detail: `${this.#lost} was moved, replaced or cut` }
    try {
      if (changed) this.#full = false
      if (changed) writeWitness(this.#witness, this.#rows.commitNumber)
    } catch (error) {
      return { kind: 'failed', written: 'unknown', full: false, detail: `the witness could not be written: ${reasonOf(error).detail}` }
    }
    return { kind: 'answered', answers }
  }

  #rolledBack(error: unknown): End {
    const { kind, detail } = reasonOf(error)
    if (kind === 'broken' || kind === 'locked') this.#suspect = true
    this.#full = kind === 'full'
    this.#rollBack()
    return { kind: 'failed', written: 'no', full: kind === 'full', detail }
  }

  /**
   * SQLITE_FULL means that a frame of the log was not written, and the last frame is the one that commits: it is known
   * not to have happened. Any other failure, an fsync's above all, may have left a whole transaction behind.
   */
  #notCommitted(error: unknown): End {
    const { kind, detail } = reasonOf(error)
    this.#rollBack()
    this.#full = kind === 'full'
    if (this.#full) return { kind: 'failed', written: 'no', full: true, detail }
    this.#suspect = true
    return { kind: 'failed', written: 'unknown', full: false, detail: `commit failed: ${detail}` }
  }

  /** A transaction that changes nothing that anybody is told. */
  #quietly(work: () => void): ReturnType<Transact> {
    try {
      this.#sql.begin.run()
      work()
    } catch (error) {
      const { kind } = reasonOf(error)
      this.#rolledBack(error)
      return kind === 'damaged' ? 'damaged' : 'later'
    }
    try {
      this.#sql.commit.run()
      return 'done'
    } catch (error) {
      this.#notCommitted(error)
      return 'later'
    }
  }

  #rollBack(): void {
    this.#rows.rollBack()
    try {
      if (this.#database.isTransaction) this.#sql.rollback.run()
    } catch {
      this.#suspect = true
    }
  }

  /** Why no transaction may begin now; undefined when one may. */
  #unfit(nowMs: number): string | undefined {
    this.#lost ??= this.#watch.lost()
    if (this.#lost !== undefined) return `${this.#lost} was moved, replaced or cut; the store must be started anew`
    if (!this.#suspect) return undefined
    try {
      this.#openAgain(nowMs)
      return undefined
    } catch (error) {
      return reasonOf(error).detail
    }
  }

  /**
   * After a failed fsync the kernel may count pages as clean that never reached the disk, and a second fsync of the
   * log would prove nothing. So everything is read back and written to the database file, with an fsync of its own.
   */
  #openAgain(nowMs: number): void {
    if (this.#database.isOpen) this.#database.close()
    this.#database = lockAndSettle(this.#files, nowMs)
    this.#sql = prepareAll(this.#database)
    this.#rows = new KeyRows(this.#sql)
    this.#folding = new Folding(this.#rows, this.#sizes)
    this.#watch = new FileWatch(this.#files)
    this.#suspect = false
  }

  /** A log that was written back starts again from its beginning, inside the room that it has. */
  #makeRoom(): void {
    try {
      this.#database.exec('pragma wal_checkpoint(passive)')
    } catch {
      // Still full: what writes fails, and what reads is answered.
    }
  }
}

/** Reads what a crash has left in the journal. Throws Refused. */
function rowsOf(sql: Statements, files: StoreFiles): KeyRows {
  try {
    return new KeyRows(sql)
  } catch (error) {
    throw new Refused(`${files.database} is damaged: ${reasonOf(error).detail}. Restore it together with its log and witness.`, { cause: error })
  }
}

function answersOf(end: End, calls: number): Answer[] {
  return end.kind === 'answered' ? end.answers : Array.from({ length: calls }, (): Answer => ['failed', end.written, end.detail])
}
