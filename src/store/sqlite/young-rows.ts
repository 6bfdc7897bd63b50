import type { KeyId, KeyRecord } from '../../core/record.ts'

/**
 * The records that only the journal holds so far, in two generations: what is written goes into the younger one, and
 * the older one is being moved to the table. No id is in both, and none of them is in the table.
 */
export class YoungRows {
  #younger = new Map<KeyId, KeyRecord>()
  #older = new Map<KeyId, KeyRecord>()
  /** what stood there before the open transaction changed it, oldest change first */
  #before: [id: KeyId, younger: KeyRecord | undefined, older: KeyRecord | undefined][] = []

  /** of the younger generation */
  get size(): number {
    return this.#younger.size
  }

  get(id: KeyId): KeyRecord | undefined {
    return this.#younger.get(id) ?? this.#older.get(id)
  }

  /** What the journal says of it will stand there for as long as what is written of it now. */
  isInYounger(id: KeyId): boolean {
    return this.#younger.has(id)
  }

  put(record: KeyRecord): void {
    this.#note(record.id)
    this.rejuvenate(record)
  }

  /** Outside of any transaction: from the older generation back into the younger one. */
  rejuvenate(record: KeyRecord): void {
    this.#older.delete(record.id)
    this.#younger.set(record.id, record)
  }

  delete(id: KeyId): void {
    this.#note(id)
    this.#older.delete(id)
    this.#younger.delete(id)
  }

  /** The transaction has committed, or the next one begins. */
  keep(): void {
    this.#before = []
  }

  rollBack(): void {
    for (const [id, younger, older] of this.#before.toReversed()) {
      restore(this.#younger, id, younger)
      restore(this.#older, id, older)
    }
    this.#before = []
  }

  /** The younger generation becomes the older one, which must be empty. Returns its ids. */
  age(): KeyId[] {
    if (this.#older.size > 0) throw new Error('a generation ages only when the one before it is gone')
    this.#older = this.#younger
    this.#younger = new Map()
    return [...this.#older.keys()]
  }

  /** Undefined for one that has been written to since its generation aged. */
  old(id: KeyId): KeyRecord | undefined {
    return this.#older.get(id)
  }

  /** These are in the table now. */
  settle(ids: readonly KeyId[]): void {
    for (const id of ids) this.#older.delete(id)
  }

  /** The older generation first. */
  where(isWanted: (record: KeyRecord) => boolean): KeyRecord[] {
    return [...this.#older.values(), ...this.#younger.values()].filter(isWanted)
  }

  #note(id: KeyId): void {
    this.#before.push([id, this.#younger.get(id), this.#older.get(id)])
  }
}

function restore(generation: Map<KeyId, KeyRecord>, id: KeyId, record: KeyRecord | undefined): void {
  if (record === undefined) generation.delete(id)
  else generation.set(id, record)
}
