import { crc32 } from 'node:zlib'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

/** How far each source has been read, in the transaction that is open now; `changed` is told of every change. */
export class SourcePositions {
  readonly #sql: Pick<Statements, 'source-position' | 'write-source-position'>
  readonly #changed: () => void

  constructor(sql: Statements, changed: () => void) {
    this.#sql = sql
    this.#changed = changed
  }

  /** Null if nobody has read it yet. */
  of(source: string): string | null {
    const row: unknown = this.#sql['source-position'].get(source)
    if (row === undefined) return null
    const [position, checksum]: unknown[] = Array.isArray(row) ? row : []
    if (typeof position !== 'string' || checksumOf(source, position) !== checksum) throw new Damaged('the checksum of the position of a source is wrong')
    return position
  }

  move(source: string, position: string): void {
    this.#sql['write-source-position'].run(source, position, checksumOf(source, position))
    this.#changed()
  }
}

function checksumOf(source: string, position: string): number {
  return crc32(`${source}\n${position}`)
}
