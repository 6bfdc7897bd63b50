-- Puts dead letters back to their old place; those that could never be built stay.
-- $1 now in ms, null for the database's clock; $2 by, $3 reason; $4 id, $5 sink, $6 lane, $7 type, null for any; $8 limit
-- The id is looked for by its row: a plan that is made once for all filters would else look through every dead letter for it.
-- Returns how many were put back, and how many could never be built.
with named as (
  select case when $4::text is null then 0 else i.row end as first, case when $4::text is null then 9223372036854775807 else i.row end as last
    from (select) one left join {schema}.outbox_event i on i.id = $4::text
), meant as (
  select e.row, e.cause from {schema}.outbox_event e
   where e.dead_at is not null and not e.unbuilt
     and e.row between (select first from named) and (select last from named) and ($5::text is null or e.sink = $5::text)
     and ($6::text is null or e.lane = $6::text) and ($7::text is null or e.type = $7::text)
   order by e.row limit $8::int
     for update skip locked
), redriven as (
  update {schema}.outbox_event e
     set dead_at = null, cause = null, blocks = false, attempts = 0, not_before = null, waiting_since = t.now
    from (select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now) t
   where e.row = any (array(select row from meant)) and e.dead_at is not null
  returning e.row, e.id, e.sink, e.lane, e.type, t.now
), acted as (
  insert into {schema}.outbox_audit (at, by, reason, verb, event, sink, lane, type, cause)
  select r.now, $2::text, $3::text, 'redrive', r.id, r.sink, r.lane, r.type, m.cause from redriven r join meant m on m.row = r.row order by r.row
)
select (select count(*) from redriven),
       (select count(*) from (
          select from {schema}.outbox_event e
           where e.dead_at is not null and e.unbuilt
             and e.row between (select first from named) and (select last from named) and ($5::text is null or e.sink = $5::text)
             and ($6::text is null or e.lane = $6::text) and ($7::text is null or e.type = $7::text)
           limit $8::int
        ) unbuilt)
