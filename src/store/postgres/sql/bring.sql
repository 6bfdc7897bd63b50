-- Commits the events of a source's rows with how far it has been read, while the leadership stands: its row is held until this has committed.
-- $1 now in ms, null for the database's clock; $2 sink, $3 holder, $4 fence; $5 source, $6 the position that is left (null: none), $7 the next one
-- $8 bytes of all payloads, one behind the other
-- $9 ids, $10 sinks, $11 lanes, $12 types, $13 where in $8 a payload begins (from 1), $14 how long it is, $15 its flaw
-- Returns `written`, or `repeated` where the next position stands already; no row where somebody else leads or has read on.
with standing as (
  select from {schema}.relay_lease where sink = $2::text and holder = $3::text and fence = $4::bigint for share
), clock as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
), moved as (
  insert into {schema}.source_position as p (source, position)
  select $5::text, $7::text where exists (select from standing)
     and ($6::text is null or exists (select from {schema}.source_position where source = $5::text and position = $6::text))
  on conflict (source) do update set position = excluded.position where p.position = $6::text
  returning source
), committed as (
  insert into {schema}.outbox_event (id, sink, lane, type, payload, committed_at, dead_at, cause, unbuilt)
  select e.id, e.sink, e.lane, e.type, substring($8::bytea from e.place for e.length), c.now,
         case when e.flaw is not null then c.now end, e.flaw, e.flaw is not null
    from clock c, unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::int[], $14::int[], $15::text[])
    with ordinality as e (id, sink, lane, type, place, length, flaw, n)
   where exists (select from moved)
   order by e.n
  on conflict (id) do nothing
)
select 'written' from moved
union all
select 'repeated' from standing, {schema}.source_position where source = $5::text and position = $7::text and not exists (select from moved)
