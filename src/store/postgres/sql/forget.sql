-- Frees a key whose lease does not run.
-- $1 now in ms, null for the database's clock; $2 id, $3 by, $4 reason, $5 the sink that executes: what was accepted goes with its event
-- Returns `forgotten`, `refused`, `absent` for what is past its retention, or `again` where the row changed since the
-- snapshot, and whether somebody waits; no row for no record.
with clock as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
), forgotten as (
  delete from {schema}.key_record k using clock c
   where k.id = $2::bytea
     and (k.state in ('accepted', 'uncertain') or (k.state = 'in_flight' and k.lease_until <= c.now) or (k.state = 'completed' and k.retain_until > c.now))
  returning k.id, k.operation_ref, k.state, k.waiters, k.accepted_at, c.now
), settled as (
  delete from {schema}.unsettled where id = any (array(select id from forgotten))
), ended as (
  delete from {schema}.outbox_event e
   where e.sink = $5::text and e.id = any (array(select operation_ref from forgotten where accepted_at is not null))
), acted as (
  insert into {schema}.audit (at, by, reason, verb, id, operation_ref, before)
  select now, $3::text, $4::text, 'forget', id, operation_ref, state from forgotten
)
select case when f.id is not null then 'forgotten'
            when k.state = 'in_flight' and k.lease_until > c.now then 'refused'
            when k.state = 'completed' and k.retain_until <= c.now then 'absent'
            else 'again' end,
       f.waiters
  from {schema}.key_record k cross join clock c left join forgotten f on f.id = k.id
 where k.id = $2::bytea
