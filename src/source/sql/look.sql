-- One look at the table: its rows and the transactions that run, of one snapshot, because it is one statement.
-- $1 the cursor, $2 how many rows of each kind, at most; $3 where the gaps begin, $4 where they end; $5 whether an id is taken as a mark
-- Words in braces are put in by look.ts; names among them are in quotes. Of the rows as many as have {most} bytes of payload, and one at least.
with snapshot as materialized (
  select pg_current_snapshot() as now, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as at
), above as (
  select r.*, count(*) over () as looked, sum(coalesce(octet_length(payload), 0)) over (order by n) as bytes, row_number() over (order by n) as place from (
    select {row} from {table} t where t.{order} > $1::bigint order by t.{order} limit $2::int
  ) r
), late as (
  select r.*, count(*) over () as looked, sum(coalesce(octet_length(payload), 0)) over (order by n) as bytes, row_number() over (order by n) as place from (
    select l.* from unnest($3::bigint[], $4::bigint[]) as g (first, last) cross join lateral (
      select {row} from {table} t where t.{order} between g.first and g.last order by t.{order} limit $2::int
    ) l order by l.n limit $2::int
  ) r
)
select 'snapshot', pg_snapshot_xmin(now)::text, case when $5::boolean then pg_current_xact_id()::text end, at::text, null, null, null, null, null, null, null from snapshot
union all
select 'above', {shown} from above where bytes <= {most} or place = 1
union all
select 'late', {shown} from late where bytes <= {most} or place = 1
