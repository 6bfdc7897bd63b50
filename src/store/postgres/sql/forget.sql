-- Frees a key whose lease does not run.
-- $1 now in ms, null for the database's clock; $2 id, $3 by, $4 reason
with forgotten as (
  delete from {schema}.key_record k
   using (select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now) t
   where k.id = $2::bytea and (k.state = 'uncertain' or (k.state = 'in_flight' and k.lease_until <= t.now) or (k.state = 'completed' and k.retain_until > t.now))
  returning k.id, k.operation_ref, k.state, k.waiters, t.now
), settled as (
  delete from {schema}.unsettled u using forgotten f where u.id = f.id
), acted as (
  insert into {schema}.audit (at, by, reason, verb, id, operation_ref, before)
  select now, $3::text, $4::text, 'forget', id, operation_ref, state from forgotten
)
select case when f.id is not null then 'forgotten' when k.state = 'completed' then 'absent' else 'refused' end, f.waiters
  from {schema}.key_record k left join forgotten f on f.id = k.id
 where k.id = $2::bytea
