-- Makes wait again what was accepted and is in doubt. The row changes hands, as in resolve-completed.sql.
-- Parameters as in resolve-not-executed.sql.
with resolved as (
  update {schema}.key_record set state = 'accepted', holder = 'resolver', fence = fence + 1, since = null, cause = null
   where id = $2::bytea and fence = $3::int and state = 'uncertain' and operation_ref = coalesce($6::text, operation_ref) and accepted_at is not null
  returning id, operation_ref, waiters
), settled as (
  delete from {schema}.unsettled where id = any (array(select id from resolved))
), acted as (
  insert into {schema}.audit (at, by, reason, verb, id, operation_ref, before)
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint), $4::text, $5::text, 'resolve', id, operation_ref, 'uncertain'
    from resolved where $4::text is not null
)
select waiters from resolved
