import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'

/*
 * A small file beside the database that holds the number of the last commit whose outcome somebody was told.
 *
 *     COMMIT (fsync) --> pwrite of the number --> answer
 *
 * At the next start the database's own number must not be lower. It is when SQLite dropped the end of the log because
 * of a flipped byte (to its recovery a bad checksum is just where the log ends), when log or database are gone, or
 * when an old copy was put back: then acknowledged keys would look new, and the start is refused. A process that dies
 * between COMMIT and pwrite leaves the database one ahead, which is fine. So is a power cut that loses the pwrite:
 * the witness is never fsynced after its creation, and can only be late.
 *
 * One line of fixed size, rewritten in place inside one sector, so that no crash tears it.
 */

export type Witness =
  | { readonly kind: 'none' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'saw', readonly commitNumber: number }

const DIGITS = 16
const LINE = /^onceward has committed (\d{16}) ([0-9a-f]{8})\n$/

export function readWitness(path: string): Witness {
  let line: string
  try {
    line = readFileSync(path, 'latin1')
  } catch (error) {
    if (isMissing(error)) return { kind: 'none' }
    throw error
  }
  // Created and not yet written: the process died in its very first start, before there was a database.
  if (line === '') return { kind: 'none' }
  const [, digits, checksum] = LINE.exec(line) ?? []
  if (digits === undefined || checksum !== checksumOf(digits)) return { kind: 'damaged' }
  return { kind: 'saw', commitNumber: Number(digits) }
}

/** Before there is a database: from then on a database without a witness is a loss. */
export function createWitness(path: string): void {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    // Two first starts may race to here: the one that loses the lock later must not reset the other's number.
    if (fstatSync(descriptor).size === 0) writeWitness(descriptor, 0)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  syncFolder(dirname(path))
}

/** Returns the descriptor for `writeWitness`; never creates the file. */
export function openWitness(path: string): number {
  return openSync(path, 'r+')
}

export function writeWitness(descriptor: number, commitNumber: number): void {
  writeSync(descriptor, lineOf(commitNumber), 0, 'latin1')
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function lineOf(commitNumber: number): string {
  const digits = String(commitNumber).padStart(DIGITS, '0')
  return `onceward has committed ${digits} ${checksumOf(digits)}\n`
}

function checksumOf(digits: string): string {
  return crc32(digits).toString(16).padStart(8, '0')
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
