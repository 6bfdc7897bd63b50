import { Damaged } from './rows.ts'

/**
 * What an error says about the database. `damaged`: this call cannot be answered, its neighbours may be. `full`: not
 * written, and known not to be; it passes by itself. `locked`: another process has the file. `broken`: what SQLite has
 * in memory may not be what is on the disk, so it must be opened again before anything else is answered.
 */
export type Fault = { readonly kind: 'damaged' | 'full' | 'locked' | 'broken', readonly detail: string }

/** SQLite's result codes, https://sqlite.org/rescode.html */
const BUSY = 5
const NOMEM = 7
const READONLY = 8
const IOERR = 10
const FULL = 13
const CANTOPEN = 14
const IOERR_READ = 266
const IOERR_SHORT_READ = 522

/** Details name files, tables and columns, never a value. */
export function reasonOf(error: unknown): Fault {
  if (error instanceof Damaged) return { kind: 'damaged', detail: error.message }
  if (!(error instanceof Error)) return { kind: 'damaged', detail: 'unknown error' }
  const code = resultCodeOf(error)
  if (code === undefined) return { kind: 'damaged', detail: `${error.name}: ${error.message}` }
  const detail = `${error.message} (SQLite result ${code})`
  switch (code & 0xff) {
    case BUSY: return { kind: 'locked', detail }
    case FULL: return { kind: 'full', detail }
    // A sector that cannot be read is one call's trouble; opening the file again would not heal it.
    case IOERR: return { kind: code === IOERR_READ || code === IOERR_SHORT_READ ? 'damaged' : 'broken', detail }
    case NOMEM: case READONLY: case CANTOPEN: return { kind: 'broken', detail }
    default: return { kind: 'damaged', detail }
  }
}

function resultCodeOf(error: Error): number | undefined {
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined
}
