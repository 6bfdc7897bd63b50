-- Deletes dead letters. Parameters as in redrive.sql, and $9 the sink that executes accepted work: of its dead letters those alone whose
-- records were seen to before ($10, their ids), since a record without its event would wait forever. Returns how many.
with named as (
  select case when $4::text is null then 0 else i.row end as first, case when $4::text is null then 9223372036854775807 else i.row end as last
    from (select) one left join {schema}.outbox_event i on i.id = $4::text
), meant as (
  select e.row from {schema}.outbox_event e
   where e.dead_at is not null
     and e.row between (select first from named) and (select last from named) and ($5::text is null or e.sink = $5::text)
     and ($6::text is null or e.lane = $6::text) and ($7::text is null or e.type = $7::text)
     and (e.sink <> $9::text or (e.id = any ($10::text[])
          and not exists (select from {schema}.key_record k where k.operation_ref = e.id and k.accepted_at is not null and k.state <> 'completed')))
   order by e.row limit $8::int
     for update skip locked
), discarded as (
  delete from {schema}.outbox_event e
   where e.row = any (array(select row from meant)) and e.dead_at is not null
  returning e.row, e.id, e.sink, e.lane, e.type, e.cause
), acted as (
  insert into {schema}.outbox_audit (at, by, reason, verb, event, sink, lane, type, cause)
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint), $2::text, $3::text, 'discard', id, sink, lane, type, cause from discarded order by row
)
select count(*) from discarded
