-- Takes over what nobody holds any more, under a higher fence: it will be sent again.
-- Parameters as in claim.sql. Returns those that were still to be taken.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[])
    with ordinality as a (key_digest, operation_ref, fingerprint, spec, parts, holder, route, lease_ms, retention_ms, take_ms, probe, outbox, n)
), taken as (
  update {schema}.key_record k
     set holder = a.holder, fence = k.fence + 1, state = 'in_flight', lease_until = a.now + a.lease_ms, since = null, cause = null
    from asked a
   where k.id = any (array[a.id]) and k.spec = a.spec and k.fingerprint = a.fingerprint and k.holder <> a.holder
     and (k.state = 'uncertain' or (k.state = 'in_flight' and k.lease_until <= a.now))
     and a.now < k.created_at + a.take_ms
     and split_part(k.parts, '.~', 2) = split_part(a.parts, '.~', 2)
  returning a.n, k.id, k.retain_until, k.operation_ref, k.fence
), noted as (
  update {schema}.unsettled set state = 'in_flight' where id = any (array(select id from taken)) and state <> 'in_flight'
)
select n, 'taken', retain_until, operation_ref, fence from taken
