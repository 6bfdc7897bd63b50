import type { Outgoing } from '../../core/delivery.ts'
import { murmur2 } from './partition.ts'

/*
 * Which events the last transactions published. Each transaction writes the identities of its events down beside them, as the
 * metadata of an offset of a consumer group: both commit or neither does. There are several such notes, written in turn, each in a
 * group of its own, so that a note stays until its events have been settled; the one that is overwritten is the oldest of those whose
 * events all came back here and were answered, else the oldest.
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

export interface Note {
  /** rises with every transaction; kept as the offset that the group is said to have come to */
  readonly counter: number
  readonly hashes: ReadonlyMap<number, number>
  /** rows of which nobody has been told yet that they were published */
  readonly untold: Set<number>
}

export class Published {
  readonly #notes = new Array<Note | null>(NOTES).fill(null)

  /** What a group has noted down; begins anew with all of it untold. */
  load(slot: number, counter: number, metadata: string): void {
    const hashes = decodeNote(metadata)
    this.#notes[slot] = { counter, hashes, untold: new Set(hashes.keys()) }
  }

  /** Whether an earlier transaction published this event. */
  has({ row, id }: Outgoing): boolean {
    return this.#notes.some((note) => note?.hashes.get(row) === hashOf(id))
  }

  /** These have been answered `delivered`. */
  told(events: readonly Outgoing[]): void {
    for (const note of this.#notes) for (const { row } of events) note?.untold.delete(row)
  }

  /** Where the next transaction writes, and under which counter. */
  next(): { readonly slot: number, readonly counter: number } {
    const counters = this.#notes.map((note) => note?.counter ?? -1)
    const inTurn = [...counters.keys()].toSorted((a, b) => (counters[a] ?? 0) - (counters[b] ?? 0))
    const slot = inTurn.find((one) => (this.#notes[one]?.untold.size ?? 0) === 0) ?? inTurn[0] ?? 0
    return { slot, counter: Math.max(...counters) + 1 }
  }

  commit(slot: number, counter: number, events: readonly Outgoing[]): void {
    this.#notes[slot] = { counter, hashes: new Map(events.map(({ row, id }) => [row, hashOf(id)])), untold: new Set(events.map(({ row }) => row)) }
  }
}

/** Fits a broker's bound for up to 500 events of one store; null if these do not fit. */
export function encodeNote(events: readonly Outgoing[]): string | null {
  const bytes = Buffer.alloc(1 + events.length * (ROW_BYTES + HASH_BYTES))
  let at = bytes.writeUInt8(VERSION, 0)
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
export function decodeNote(metadata: string): Map<number, number> {
  const bytes = Buffer.from(metadata, 'base64url')
  const hashes = new Map<number, number>()
  if (bytes[0] !== VERSION) return hashes
  let row = 0
  for (let at = 1; at < bytes.length;) {
    let scale = 1
    for (; ((bytes[at] ?? 0) & 0x80) !== 0; at += 1, scale *= 0x80) row += ((bytes[at] ?? 0) & 0x7f) * scale
    row += (bytes[at] ?? 0) * scale
    if (at + 1 + HASH_BYTES > bytes.length) break
    hashes.set(row, bytes.readUIntBE(at + 1, HASH_BYTES))
    at += 1 + HASH_BYTES
  }
  return hashes
}

function hashOf(id: string): number {
  return murmur2(Buffer.from(id)) & 0xffffff
}
