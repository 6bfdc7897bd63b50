-- $1 now in ms, null for the database's clock; $2 sinks that are asked about, besides those that have rows
-- Each sink costs some looks into indexes, and one into that of its dead letters for each of them.
with recursive clock as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
), waits (sink) as (
  (select e.sink from {schema}.outbox_event e where e.dead_at is null order by e.sink, e.lane, e.row limit 1)
  union all
  select n.sink from waits w cross join lateral (
    select e.sink from {schema}.outbox_event e where e.dead_at is null and e.sink > w.sink order by e.sink, e.lane, e.row limit 1
  ) n
), died (sink) as (
  (select e.sink from {schema}.outbox_event e where e.dead_at is not null order by e.sink, e.row limit 1)
  union all
  select n.sink from died w cross join lateral (
    select e.sink from {schema}.outbox_event e where e.dead_at is not null and e.sink > w.sink order by e.sink, e.row limit 1
  ) n
), known (sink) as (
  select unnest($2::text[]) union select sink from waits union select sink from died
)
select k.sink,
       coalesce((select greatest(0, c.now - coalesce(e.waiting_since, e.committed_at)) from {schema}.outbox_event e
                  where e.sink = k.sink and e.cause is null order by e.sink, coalesce(e.waiting_since, e.committed_at) limit 1), 0),
       (select count(*) from {schema}.outbox_event e where e.sink = k.sink and e.dead_at is not null)
  from clock c, known k
 order by k.sink collate "C"
