-- Puts dead letters back to their old place; those that could never be built stay.
-- $1 now in ms, null for the database's clock; $2 by, $3 reason; $4 id, $5 sink, $6 lane, $7 type, null for any; $8 limit
-- Returns how many were put back, and how many could never be built.
with meant as (
  select e.row, e.cause from {schema}.outbox_event e
   where e.dead_at is not null and not e.unbuilt
     and ($4::text is null or e.id = $4::text) and ($5::text is null or e.sink = $5::text)
     and ($6::text is null or e.lane = $6::text) and ($7::text is null or e.type = $7::text)
   order by e.row limit $8::int
     for update skip locked
), redriven as (
  update {schema}.outbox_event e
     set dead_at = null, cause = null, blocks = false, attempts = 0, not_before = null, waiting_since = t.now
    from meant m, (select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now) t
   where e.row = any (array(select row from meant)) and e.row = m.row
  returning e.row, e.id, e.sink, e.lane, e.type, m.cause, t.now
), acted as (
  insert into {schema}.outbox_audit (at, by, reason, verb, event, sink, lane, type, cause)
  select now, $2::text, $3::text, 'redrive', id, sink, lane, type, cause from redriven order by row
)
select (select count(*) from redriven),
       (select count(*) from (
          select from {schema}.outbox_event e
           where e.dead_at is not null and e.unbuilt
             and ($4::text is null or e.id = $4::text) and ($5::text is null or e.sink = $5::text)
             and ($6::text is null or e.lane = $6::text) and ($7::text is null or e.type = $7::text)
           limit $8::int
        ) unbuilt)
