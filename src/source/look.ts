import type { SourceSettings } from '../core/source-settings.ts'
import type { Described } from './describe-table.ts'
import { quoted, quotedTable } from './names.ts'

/*
 * What is asked of the table. The one place where SQL is put together, since its names are the user's: all of them quoted, and everything else
 * is a parameter. A look is one statement, so that its rows and the transactions that ran belong to one snapshot.
 */

export interface Look {
  /** the smallest and the largest number */
  readonly bounds: string
  /** see page.ts. $1 cursor, $2 rows at most of each kind, $3 where gaps begin, $4 where they end */
  readonly read: string
}

/** Payload bytes of one look; the first row comes whatever its size. */
const LOOK_BYTES = 8 * 1024 * 1024

export function lookOf({ table, columns }: Pick<SourceSettings, 'table' | 'columns'>, { types }: Pick<Described, 'types'>, mostPayloadBytes: number): Look {
  const from = quotedTable(table)
  const order = `t.${quoted(columns.order)}`
  const text = (name: string | null): string => (name === null ? 'null::text' : `t.${quoted(name)}::text`)
  const payload = `t.${quoted(columns.payload)}`
  const payloadType = types.get(columns.payload) ?? ''
  const isBytes = payloadType === 'bytea'
  const kind = isBytes ? 'bytes' : payloadType === 'json' || payloadType === 'jsonb' ? 'json' : 'text'
  const time = columns.time === null ? 'null::text' : `floor(extract(epoch from t.${quoted(columns.time)}) * 1000)::bigint::text`
  const row = `${order}::bigint as n, ${text(columns.id)} as id, ${text(columns.lane)} as lane, ${text(columns.type)} as type, ${time} as time, ${text(columns.traceparent)} as traceparent,
         ${isBytes ? payload : `${payload}::text`} as payload`
  const shown = `n::text, id, lane, type, time, traceparent, '${kind}', octet_length(payload)::text,
       case when octet_length(payload) <= ${mostPayloadBytes} then ${isBytes ? "encode(payload, 'base64')" : 'payload'} end, looked::text`
  return {
    bounds: `select min(${order})::text, max(${order})::text from ${from} t`,
    read: `with snapshot as materialized (
  select pg_current_snapshot() as now, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as at
), above as (
  select r.*, count(*) over () as looked, sum(coalesce(octet_length(payload), 0)) over (order by n) as bytes, row_number() over (order by n) as place from (
    select ${row} from ${from} t where ${order} > $1::bigint order by ${order} limit $2::int
  ) r
), late as (
  select r.*, count(*) over () as looked, sum(coalesce(octet_length(payload), 0)) over (order by n) as bytes, row_number() over (order by n) as place from (
    select l.* from unnest($3::bigint[], $4::bigint[]) as g (first, last) cross join lateral (
      select ${row} from ${from} t where ${order} between g.first and g.last order by ${order} limit $2::int
    ) l order by l.n limit $2::int
  ) r
)
select 'snapshot', pg_snapshot_xmin(now)::text, pg_snapshot_xmax(now)::text, at::text, null, null, null, null, null, null, null from snapshot
union all
select 'above', ${shown} from above where bytes <= ${LOOK_BYTES} or place = 1
union all
select 'late', ${shown} from late where bytes <= ${LOOK_BYTES} or place = 1`,
  }
}
