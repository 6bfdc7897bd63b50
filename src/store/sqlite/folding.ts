import type { KeyId } from '../../core/record.ts'
import type { KeyRows } from './key-rows.ts'
import { hashOf } from './rows.ts'
import type { FoldingSizes } from './wire.ts'

/*
 * How young records get into the table: a generation at a time, in the order of its index, in small transactions between
 * the batches, so that each page is written once for many records and no batch waits for more than one of them.
 *
 *     gathering --(enough young records)--> inserting, a chunk at a time --> trimming the journal, likewise --> gathering
 *
 * Nobody sees any of it: a record is answered from memory until the transaction that put it into the table has
 * committed. One that cannot be inserted, because a page is damaged, stays young and is journaled anew.
 */

type Phase =
  | { readonly kind: 'gathering' }
  | { readonly kind: 'inserting', readonly ids: readonly KeyId[], readonly next: number, readonly lastCommit: number }
  | { readonly kind: 'trimming', readonly lastCommit: number }

/** So many records touch each page of an index over 250,000 keys four times, and take some 6 MB of memory. */
export const USUAL_SIZES: FoldingSizes = { records: 4096, bytes: 4 * 1024 * 1024 }

/**
 * A batch that meets a transaction of so many inserts waits some milliseconds longer. Smaller ones write the last pages of
 * table and indexes more often: before the indexes of migration 0008, chunks of 256 took 3 to 5 us more CPU per new key.
 */
const CHUNK_RECORDS = 1024
/** Commits that are trimmed at a time; their pages go to the free list one by one. */
const CHUNK_COMMITS = 64

/** `later`: nothing was changed, and not because of what was to be written. */
export type Transact = (work: () => void) => 'done' | 'damaged' | 'later'

export class Folding {
  readonly #rows: KeyRows
  readonly #sizes: FoldingSizes
  #phase: Phase = { kind: 'gathering' }
  #bytes = 0
  #calls = 0

  constructor(rows: KeyRows, sizes: FoldingSizes) {
    this.#rows = rows
    this.#sizes = sizes
  }

  /** A batch was committed. */
  grown(calls: number, bytes: number): void {
    this.#calls += calls
    this.#bytes += bytes
  }

  /** True when the next chunk is due: before as much has come in as it takes away, even if each call is a commit of its own. */
  isDue(): boolean {
    switch (this.#phase.kind) {
      case 'gathering': return this.#rows.young.size >= this.#sizes.records || this.#bytes >= this.#sizes.bytes
      case 'inserting': return this.#calls >= CHUNK_RECORDS / 4
      case 'trimming': return this.#calls >= CHUNK_COMMITS / 2
      default: return this.#phase satisfies never
    }
  }

  /** One chunk; false if it could not be done now. */
  step(transact: Transact): boolean {
    this.#calls = 0
    switch (this.#phase.kind) {
      case 'gathering':
        this.#begin()
        return true
      case 'inserting': return this.#insertSome(this.#phase, transact)
      case 'trimming': return this.#trimSome(this.#phase, transact)
      default: return this.#phase satisfies never
    }
  }

  /** All of it, before the store is closed; what cannot be done now is found in the journal by the next start. */
  finish(transact: Transact): void {
    for (let generations = 0; generations < 2; generations += 1) {
      do if (!this.step(transact)) return
      while (this.#phase.kind !== 'gathering')
    }
  }

  #begin(): void {
    this.#bytes = 0
    this.#phase = { kind: 'inserting', ids: inOrder(this.#rows.young.age()), next: 0, lastCommit: this.#rows.commitNumber }
  }

  #insertSome(phase: Phase & { kind: 'inserting' }, transact: Transact): boolean {
    const ids = phase.ids.slice(phase.next, phase.next + CHUNK_RECORDS)
    const end = this.#insert(ids, transact)
    if (end === 'later') return false
    if (end === 'damaged') for (const id of ids) this.#insertOrCarry(id, transact)
    const next = phase.next + ids.length
    this.#phase = next < phase.ids.length ? { ...phase, next } : { kind: 'trimming', lastCommit: phase.lastCommit }
    return true
  }

  #insert(ids: readonly KeyId[], transact: Transact): ReturnType<Transact> {
    const end = transact(() => {
      for (const id of ids) {
        const record = this.#rows.young.old(id)
        if (record !== undefined) this.#rows.insert(record)
      }
    })
    if (end === 'done') this.#rows.settled(ids)
    return end
  }

  #insertOrCarry(id: KeyId, transact: Transact): void {
    if (this.#insert([id], transact) === 'done') return
    const record = this.#rows.young.old(id)
    if (record !== undefined) this.#rows.carry(record)
  }

  /** Not before what was carried stands in the journal again. */
  #trimSome({ lastCommit }: Phase & { kind: 'trimming' }, transact: Transact): boolean {
    if (this.#rows.carries) return false
    const upTo = Math.min(this.#rows.trimmedUpTo + CHUNK_COMMITS, lastCommit)
    if (transact(() => this.#rows.trim(upTo)) !== 'done') return false
    this.#rows.trimmed(upTo)
    if (upTo === lastCommit) this.#phase = { kind: 'gathering' }
    return true
  }
}

/**
 * As the indexes over ids are: neighbours in the list are neighbours on a page. Numbers of a hash with the place behind it
 * are sorted without a call per comparison; they have at most 32 + 21 bits, which a double holds.
 */
function inOrder(ids: readonly KeyId[]): KeyId[] {
  const places = Float64Array.from(ids, (id, place) => hashOf(id) * ids.length + place).sort()
  const ordered: KeyId[] = []
  for (const at of places) ordered.push(ids[at % ids.length] ?? '')
  return ordered
}
