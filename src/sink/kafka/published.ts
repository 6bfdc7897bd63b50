import type { Outgoing } from '../../core/delivery.ts'
import { murmur2 } from './partition.ts'

/*
 * Which events the last transactions published. Each transaction writes the identities of its events down beside them, as the
 * metadata of an offset of a consumer group: both commit or neither does. There are several such notes, written in turn, each in a
 * group of its own, so that a note stays until its events have been settled: the one that is overwritten is the oldest of those that
 * are closed, else the oldest. Open is a note with an event of which nobody is known to have heard that it was published: whoever
 * begins reads in the newest note which ones were open, and it is open itself. They close as their events come here again and are
 * answered; what had been settled in time never comes, so a leader that died costs one note at most.
 *
 * An event is known by its row and three bytes of its id's hash. The row alone would do, but for a store that was set up anew and
 * counts its rows from the start again.
 */

export const NOTES = 8
/** A broker takes 4096 characters (offset.metadata.max.bytes). */
const NOTE_BYTES = 3072
const VERSION = 1
const HASH_BYTES = 3
/** of a row as a varint */
const ROW_BYTES = 8

interface Note {
  readonly counter: number
  readonly hashes: ReadonlyMap<number, number>
  /** rows of which nobody is known to have heard that they were published */
  readonly untold: Set<number>
}

/** A note as a group has it. */
export interface StoredNote {
  /** rises with every transaction; kept as the offset that the group is said to have come to. -1: there is none */
  readonly counter: number
  readonly metadata: string
}

/** Where a transaction writes its note. */
export interface Place {
  readonly slot: number
  readonly counter: number
  /** a bit for each other note that is open */
  readonly open: number
}

export class Published {
  readonly #notes = new Array<Note | null>(NOTES).fill(null)

  constructor(stored: readonly StoredNote[] = []) {
    const newest = Math.max(-1, ...stored.map(({ counter }) => counter))
    const notes = stored.map(({ counter, metadata }) => ({ counter, ...decodeNote(metadata) }))
    const open = notes.find(({ counter }) => counter === newest)?.open ?? 0
    for (const [slot, { counter, hashes }] of notes.entries()) {
      if (counter < 0) continue
      const isOpen = counter === newest || (open & (1 << slot)) !== 0
      this.#notes[slot] = { counter, hashes, untold: new Set(isOpen ? hashes.keys() : []) }
    }
  }

  /** Whether an earlier transaction published this event. */
  has({ row, id }: Outgoing): boolean {
    return this.#notes.some((note) => note?.hashes.get(row) === hashOf(id))
  }

  /** These have been answered `delivered`, and whoever heard that has written it down. */
  told(events: readonly Outgoing[]): void {
    for (const note of this.#notes) for (const { row } of events) note?.untold.delete(row)
  }

  next(): Place {
    const counters = this.#notes.map((note) => note?.counter ?? -1)
    const inTurn = [...counters.keys()].toSorted((a, b) => (counters[a] ?? 0) - (counters[b] ?? 0))
    const isOpen = (one: number): boolean => (this.#notes[one]?.untold.size ?? 0) > 0
    const slot = inTurn.find((one) => !isOpen(one)) ?? inTurn[0] ?? 0
    const open = inTurn.reduce((bits, one) => (one !== slot && isOpen(one) ? bits | (1 << one) : bits), 0)
    return { slot, counter: Math.max(...counters) + 1, open }
  }

  commit({ slot, counter }: Pick<Place, 'slot' | 'counter'>, events: readonly Outgoing[]): void {
    this.#notes[slot] = { counter, hashes: new Map(events.map(({ row, id }) => [row, hashOf(id)])), untold: new Set(events.map(({ row }) => row)) }
  }
}

/** Fits a broker's bound for up to 500 events of one store; null if these do not fit. */
export function encodeNote(events: readonly Outgoing[], open: number): string | null {
  const bytes = Buffer.alloc(2 + events.length * (ROW_BYTES + HASH_BYTES))
  let at = bytes.writeUInt8(open, bytes.writeUInt8(VERSION, 0))
  let before = 0
  for (const { row, id } of events.toSorted((a, b) => a.row - b.row)) {
    let delta = row - before
    before = row
    for (; delta > 0x7f; delta = Math.floor(delta / 0x80)) at = bytes.writeUInt8((delta % 0x80) | 0x80, at)
    at = bytes.writeUInt8(delta, at)
    at = bytes.writeUIntBE(hashOf(id), at, HASH_BYTES)
  }
  return at > NOTE_BYTES ? null : bytes.toString('base64url', 0, at)
}

/** What we did not write, or an older or newer version of us, says nothing. */
export function decodeNote(metadata: string): { readonly open: number, readonly hashes: ReadonlyMap<number, number> } {
  const bytes = Buffer.from(metadata, 'base64url')
  const hashes = new Map<number, number>()
  if (bytes[0] !== VERSION) return { open: 0, hashes }
  let row = 0
  for (let at = 2; at < bytes.length;) {
    let scale = 1
    for (; ((bytes[at] ?? 0) & 0x80) !== 0; at += 1, scale *= 0x80) row += ((bytes[at] ?? 0) & 0x7f) * scale
    row += (bytes[at] ?? 0) * scale
    if (at + 1 + HASH_BYTES > bytes.length) break
    hashes.set(row, bytes.readUIntBE(at + 1, HASH_BYTES))
    at += 1 + HASH_BYTES
  }
  return { open: bytes[1] ?? 0, hashes }
}

function hashOf(id: string): number {
  return murmur2(Buffer.from(id)) & 0xffffff
}
