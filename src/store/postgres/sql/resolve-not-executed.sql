-- Frees a doubt that its own client claimed; with an act ($4 by, $5 reason, null for the flow's own) it is written down.
-- $1 now in ms, null for the database's clock; $2 id, $3 fence, $6 operation ref, null for whichever stands there
with resolved as (
  delete from {schema}.key_record where id = $2::bytea and fence = $3::int and state = 'uncertain'
     and operation_ref = coalesce($6::text, operation_ref) and accepted_at is null
  returning id, operation_ref, waiters
), settled as (
  delete from {schema}.unsettled where id = any (array(select id from resolved))
), acted as (
  insert into {schema}.audit (at, by, reason, verb, id, operation_ref, before)
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint), $4::text, $5::text, 'resolve', id, operation_ref, 'uncertain'
    from resolved where $4::text is not null
)
select waiters from resolved
