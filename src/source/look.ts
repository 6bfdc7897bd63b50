import { readFileSync } from 'node:fs'
import type { SourceSettings } from '../core/source-settings.ts'
import { quoted, quotedTable } from './names.ts'

/** What is asked of the table. Its names are the user's: all of them are put in quotes, and everything else is a parameter. */
export interface Look {
  readonly smallest: string
  readonly recent: string
  /** see sql/look.sql, and page.ts for what comes of it */
  readonly read: string
}

/** Payload bytes of one look. */
const LOOK_BYTES = 8 * 1024 * 1024

/** Characters of an id, a lane, a type or a trace: longer than any of them may be, so that it is seen to be too long, and none takes our memory. */
const MOST_CHARACTERS = 2000

/** `types`: of the table's columns, by their names. */
export function lookOf({ table, columns }: Pick<SourceSettings, 'table' | 'columns'>, types: ReadonlyMap<string, string>, mostPayloadBytes: number): Look {
  const of = (name: string): string => `t.${quoted(name)}`
  const text = (name: string | null, as: string): string => `${name === null ? 'null::text' : `left(${of(name)}::text, ${MOST_CHARACTERS})`} as ${as}`
  const type = types.get(columns.payload) ?? ''
  const isBytes = type === 'bytea'
  const kind = isBytes ? 'bytes' : type === 'json' || type === 'jsonb' ? 'json' : 'text'
  // not as a bigint, which infinity cannot be: one such row would stop everything
  const time = columns.time === null ? 'null::text' : `((extract(epoch from ${of(columns.time)}) * 1000)::double precision)::text`
  const fits = `octet_length(payload) <= ${mostPayloadBytes}`
  const words = {
    table: quotedTable(table), order: quoted(columns.order), most: String(LOOK_BYTES),
    row: [
      `${of(columns.order)}::bigint as n`, text(columns.id, 'id'), text(columns.lane, 'lane'), text(columns.type, 'type'), `${time} as time`,
      text(columns.traceparent, 'traceparent'), `${of(columns.payload)}${isBytes ? '' : '::text'} as payload`,
    ].join(', '),
    size: `case when ${fits} then octet_length(payload) else 0 end`,
    shown: [
      'n::text, id, lane, type, time, traceparent', `'${kind}'`, 'octet_length(payload)::text',
      `case when ${fits} then ${isBytes ? "encode(payload, 'base64')" : 'payload'} end`, 'looked::text',
    ].join(', '),
  }
  return { smallest: statement('smallest', words), recent: statement('recent', words), read: statement('look', words) }
}

/** Without `words` there is nothing in braces. */
export function statement(name: 'begin' | 'patience' | 'end' | 'server' | 'columns' | 'sequence' | 'smallest' | 'recent' | 'look', words: Readonly<Record<string, string>> = {}): string {
  const text = readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8')
  return text.replace(/^--.*\n/gm, '').replace(/\{([a-z]+)\}/g, (place, word: string) => words[word] ?? place)
}
