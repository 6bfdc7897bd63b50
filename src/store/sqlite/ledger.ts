import { crc32 } from 'node:zlib'
import { Damaged } from './rows.ts'
import type { Statements } from './statements.ts'

/** The store's one row about itself. The counts are kept and not counted: a gauge must not scan a million keys. */
export interface Ledger {
  commitNumber: number
  inFlight: number
  uncertain: number
  completed: number
}

export function readLedger(sql: Pick<Statements, 'ledger'>): Ledger {
  const row: unknown = sql.ledger.get()
  if (!isNumbers(row)) throw new Damaged('the ledger is missing')
  const [commitNumber = 0, inFlight = 0, uncertain = 0, completed = 0, checksum] = row
  const ledger = { commitNumber, inFlight, uncertain, completed }
  if (checksumOf(ledger) !== checksum) throw new Damaged('the checksum of the ledger is wrong')
  return ledger
}

export function writeLedger(sql: Pick<Statements, 'update-ledger'>, ledger: Ledger): void {
  const { commitNumber, inFlight, uncertain, completed } = ledger
  const { changes } = sql['update-ledger'].run(commitNumber, inFlight, uncertain, completed, checksumOf(ledger))
  if (changes !== 1) throw new Damaged('the ledger is missing')
}

export function readSecret(sql: Pick<Statements, 'secret'>): string | undefined {
  const row: unknown = sql.secret.get()
  if (!Array.isArray(row)) throw new Damaged('the row of the secret is missing')
  const [secret, checksum]: unknown[] = row
  if (secret === null && checksum === null) return undefined
  if (typeof secret !== 'string' || crc32(secret) !== checksum) throw new Damaged('the checksum of the secret is wrong')
  return secret
}

export function writeSecret(sql: Pick<Statements, 'write-secret'>, secret: string): void {
  const { changes } = sql['write-secret'].run(secret, crc32(secret))
  if (changes !== 1) throw new Damaged('the row of the secret is missing')
}

function checksumOf({ commitNumber, inFlight, uncertain, completed }: Ledger): number {
  return crc32(`${commitNumber}\n${inFlight}\n${uncertain}\n${completed}`)
}

function isNumbers(row: unknown): row is number[] {
  return Array.isArray(row) && row.every((value) => typeof value === 'number')
}
