/*
 * What an error says about a statement that commits by itself. Most errors of the server prove that nothing was
 * written; what does not prove it is unknown.
 */

export type Fault =
  /** two transactions stood in each other's way, and this one was rolled back */
  | { readonly kind: 'conflict', readonly detail: string }
  /** the statement does not exist on this connection: it did not run */
  | { readonly kind: 'unprepared', readonly detail: string }
  /** a row of it is not storable, or is locked by somebody for longer than settings.sql waits: its neighbours are fine */
  | { readonly kind: 'refused', readonly detail: string }
  /** this server takes no writes (any more): somebody else is the primary now */
  | { readonly kind: 'stale', readonly detail: string }
  | { readonly kind: 'not-done', readonly detail: string }
  | { readonly kind: 'unknown', readonly detail: string }

/** A statement that the server does not take as it is; of many rows, one of them is why. Nothing of it was written. */
export class Refused extends Error {}

const CONFLICTS = ['40001', '40P01']

/**
 * `26000` no such prepared statement, `42P05` there is one: a pooler that gives a connection to several clients. `0A000` a
 * plan whose tables were migrated since.
 */
const UNPREPARED = ['26000', '42P05', '0A000']

/**
 * FATAL ends the connection, and may come after the commit whose success was not told yet. Class 08 is what a pooler says
 * of a server that it has lost; `57P0x` is a server that goes down; `40003` says it itself.
 */
export function faultOf(error: Error): Fault {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const severity = 'severity' in error && typeof error.severity === 'string' ? error.severity : ''
  const detail = detailOf(error, code)
  if (severity === '') return { kind: 'unknown', detail }
  if (CONFLICTS.includes(code)) return { kind: 'conflict', detail }
  if (code === '25006') return { kind: 'stale', detail }
  if (severity !== 'ERROR' || code.startsWith('08') || code.startsWith('57P') || code === '40003') return { kind: 'unknown', detail }
  if (UNPREPARED.includes(code)) return { kind: 'unprepared', detail }
  if (code.startsWith('22') || code.startsWith('23') || code === '55P03') return { kind: 'refused', detail }
  return { kind: 'not-done', detail }
}

/** Errors about data repeat data, which may be somebody's key; their codes and the names of constraints do not. */
function detailOf(error: Error, code: string): string {
  if (!code.startsWith('22') && !code.startsWith('23')) return code === '' ? error.message : `${code} ${error.message}`
  const constraint = 'constraint' in error && typeof error.constraint === 'string' ? ` (${error.constraint})` : ''
  return `${code}${constraint}`
}
