-- One look at the table: its rows and the transactions that run, of one snapshot, because it is one statement.
-- $1 the cursor, $2 how many rows of each kind (rows of one number come together, whatever there is of them); $3 where the gaps begin, $4 where they end
-- Words in braces are put in by look.ts; names among them are in quotes. Of the rows as many as have {most} bytes of payload, and one number at least.
-- `next` is the id that is given out next: a snapshot ends (xmax) behind the transactions that have *ended*, and younger ones may run. age()
-- counts from the next id on, reads it now, after the snapshot was taken, and takes none.
with snapshot as materialized (
  select pg_current_snapshot() as now, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as at
), above as (
  select r.*, count(*) over () as looked, sum({size}) over (order by n) as bytes, rank() over (order by n) as place from (
    select {row} from {table} t where t.{order} > $1::bigint order by t.{order} fetch first ($2::int) rows with ties
  ) r
), late as (
  select r.*, count(*) over () as looked, sum({size}) over (order by n) as bytes, rank() over (order by n) as place from (
    select l.* from unnest($3::bigint[], $4::bigint[]) as g (first, last) cross join lateral (
      select {row} from {table} t where t.{order} between g.first and g.last order by t.{order} fetch first ($2::int) rows with ties
    ) l order by l.n fetch first ($2::int) rows with ties
  ) r
)
select 'snapshot', pg_snapshot_xmin(now)::text, (pg_snapshot_xmax(now)::text::bigint + age(pg_snapshot_xmax(now)::xid))::text, at::text,
       (select max(t.{order}) from {table} t)::text, null, null, null, null, null, null
  from snapshot
union all
select 'above', {shown} from above where bytes <= {most} or place = 1
union all
select 'late', {shown} from late where bytes <= {most} or place = 1
