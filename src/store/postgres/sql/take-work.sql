-- Takes over executions that nobody holds any more, under a higher fence: the request will be sent again.
-- Parameters, and how operations are compared, as in begin-work.sql. Returns those that were still to be taken.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[]) with ordinality as a (operation_ref, holder, lease_ms, take_ms, n)
), taken as (
  update {schema}.key_record k
     set holder = a.holder, fence = k.fence + 1, state = 'in_flight', lease_until = a.now + a.lease_ms, since = null, cause = null
    from asked a
   where k.id = any (array[a.id]) and k.operation_ref is not distinct from a.operation_ref and k.accepted_at is not null
     and (k.state = 'uncertain' or (k.state = 'in_flight' and k.lease_until <= a.now))
     and a.now < k.created_at + a.take_ms
  returning a.n, k.id, k.retain_until, k.fence, k.outbox
), noted as (
  update {schema}.unsettled set state = 'in_flight' where id = any (array(select id from taken)) and state <> 'in_flight'
)
select n, 'taken', retain_until, fence, outbox from taken
