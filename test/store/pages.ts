import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

export const PAGE_BYTES = 4096
/** https://sqlite.org/fileformat2.html#the_write_ahead_log */
export const LOG_HEADER_BYTES = 32
export const FRAME_HEADER_BYTES = 24

/** One place in a file where a byte will be flipped. */
export interface Spot {
  readonly offset: number
  readonly mask: number
}

/** mulberry32: the same spots in every run of a seed. */
export function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }
}

/**
 * The pages of each kind in a database at rest: 'header', 'schema', 'freelist trunk', 'freelist leaf', and for each
 * table and index 'name leaf', 'name internal' and 'name overflow', as far as there are such. Numbers count from 1.
 */
export function pagesByKind(database: string): Map<string, number[]> {
  const kinds = new Map<string, number[]>([['header', [1]], ...freelist(database)])
  const connection = new DatabaseSync(database, { readOnly: true })
  try {
    for (const { name, pagetype, pageno } of connection.prepare('select name, pagetype, pageno from dbstat').all()) {
      const kind = name === 'sqlite_schema' ? 'schema' : `${String(name)} ${String(pagetype)}`
      kinds.set(kind, [...kinds.get(kind) ?? [], Number(pageno)])
    }
  } finally {
    connection.close()
  }
  return kinds
}

/** https://sqlite.org/fileformat2.html#the_freelist */
function freelist(database: string): [string, number[]][] {
  const bytes = readFileSync(database)
  const [trunks, leaves]: [number[], number[]] = [[], []]
  for (let trunk = bytes.readUInt32BE(32); trunk !== 0; trunk = bytes.readUInt32BE((trunk - 1) * PAGE_BYTES)) {
    trunks.push(trunk)
    const start = (trunk - 1) * PAGE_BYTES
    for (let leaf = 0; leaf < bytes.readUInt32BE(start + 4); leaf += 1) leaves.push(bytes.readUInt32BE(start + 8 + 4 * leaf))
  }
  return [['freelist trunk', trunks], ['freelist leaf', leaves]]
}

/**
 * Spots on pages of one kind, where they do harm: in the page's header, in its cell pointers, in the first bytes of a
 * cell (sizes, pointers), and in what it holds.
 */
export function spotsOn(kind: string, pages: readonly number[], database: string, rounds: number, below: (limit: number) => number): Spot[] {
  const bytes = readFileSync(database)
  return Array.from({ length: rounds }, () => pages[below(pages.length)] ?? 1).flatMap((page) => {
    const start = (page - 1) * PAGE_BYTES
    const within = kind === 'header' ? headerOffsets(below) : kind.startsWith('freelist') || kind.endsWith('overflow') ? linkOffsets(below) : treeOffsets(bytes, start, page, below)
    return within.map((offset) => ({ offset: start + offset, mask: 1 + below(255) }))
  })
}

function headerOffsets(below: (limit: number) => number): number[] {
  return [below(16), 16 + below(24), 40 + below(52), 92 + below(8)]
}

function linkOffsets(below: (limit: number) => number): number[] {
  return [below(4), 4 + below(4), 8 + below(40), below(PAGE_BYTES)]
}

/** https://sqlite.org/fileformat2.html#b_tree_pages */
function treeOffsets(bytes: Buffer, start: number, page: number, below: (limit: number) => number): number[] {
  const head = page === 1 ? 100 : 0
  const internal = [2, 5].includes(bytes[start + head] ?? 0)
  const cells = bytes.readUInt16BE(start + head + 3)
  const pointers = head + (internal ? 12 : 8)
  const cell = bytes.readUInt16BE(start + pointers + 2 * below(Math.max(cells, 1)))
  return [head + below(internal ? 12 : 8), pointers + below(2 * Math.max(cells, 1)), cell + below(8), Math.min(cell + below(100), PAGE_BYTES - 1)]
}

export function flip(file: string, { offset, mask }: Spot): void {
  const descriptor = openSync(file, 'r+')
  try {
    const byte = Buffer.alloc(1)
    if (readSync(descriptor, byte, 0, 1, offset) !== 1) throw new Error(`${file} has no byte ${offset}`)
    byte.writeUInt8(byte.readUInt8() ^ mask)
    writeSync(descriptor, byte, 0, 1, offset)
  } finally {
    closeSync(descriptor)
  }
}
