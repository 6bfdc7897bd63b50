import { readFileSync } from 'node:fs'
import type { SourceSettings } from '../core/source-settings.ts'
import { quoted, quotedTable } from './names.ts'

/** What is asked of the table; `types`: of its columns, by their names. Its names are the user's: all of them are put in quotes, and everything else is a parameter. */
export interface Look {
  /** the smallest and the largest number */
  readonly bounds: string
  /** see sql/look.sql, and page.ts for what comes of it */
  readonly read: string
}

/** Payload bytes of one look. */
const LOOK_BYTES = 8 * 1024 * 1024

export function lookOf({ table, columns }: Pick<SourceSettings, 'table' | 'columns'>, types: ReadonlyMap<string, string>, mostPayloadBytes: number): Look {
  const of = (name: string): string => `t.${quoted(name)}`
  const text = (name: string | null, as: string): string => `${name === null ? 'null' : of(name)}::text as ${as}`
  const type = types.get(columns.payload) ?? ''
  const isBytes = type === 'bytea'
  const kind = isBytes ? 'bytes' : type === 'json' || type === 'jsonb' ? 'json' : 'text'
  const time = columns.time === null ? 'null' : `floor(extract(epoch from ${of(columns.time)}) * 1000)::bigint`
  const words = {
    table: quotedTable(table), order: quoted(columns.order), most: String(LOOK_BYTES),
    row: [
      `${of(columns.order)}::bigint as n`, text(columns.id, 'id'), text(columns.lane, 'lane'), text(columns.type, 'type'), `${time}::text as time`,
      text(columns.traceparent, 'traceparent'), `${of(columns.payload)}${isBytes ? '' : '::text'} as payload`,
    ].join(', '),
    shown: [
      'n::text, id, lane, type, time, traceparent', `'${kind}'`, 'octet_length(payload)::text',
      `case when octet_length(payload) <= ${mostPayloadBytes} then ${isBytes ? "encode(payload, 'base64')" : 'payload'} end`, 'looked::text',
    ].join(', '),
  }
  return { bounds: statement('bounds', words), read: statement('look', words) }
}

/** Without `words` there is nothing in braces. */
export function statement(name: 'bounds' | 'look' | 'columns' | 'replica' | 'read-only', words: Readonly<Record<string, string>> = {}): string {
  const text = readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8')
  return text.replace(/^--.*\n/gm, '').replace(/\{([a-z]+)\}/g, (place, word: string) => words[word] ?? place)
}
