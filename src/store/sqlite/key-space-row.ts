import { crc32 } from 'node:zlib'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

export function readKeySpaceRow(sql: Pick<Statements, 'key-space'>): string | null {
  const row: unknown = sql['key-space'].get()
  if (!Array.isArray(row)) throw new Damaged('the row of the key space is missing')
  const [text, checksum]: unknown[] = row
  if (text === null && checksum === null) return null
  if (typeof text !== 'string' || crc32(text) !== checksum) throw new Damaged('the checksum of the key space is wrong')
  return text
}

export function writeKeySpaceRow(sql: Pick<Statements, 'write-key-space'>, seen: string | null, next: string): void {
  const { changes } = sql['write-key-space'].run(next, crc32(next), seen)
  if (changes !== 1) throw new Damaged('the row of the key space is missing')
}
