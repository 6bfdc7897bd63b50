-- Claims anew what is past its retention, whether the sweep has come by or not.
-- Parameters as in claim.sql ($12 is not looked at). Returns those that were free.
-- Retention is compared in a way that its index cannot serve: to a planner that sees an empty table, that one looks as good as the key's.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[])
    with ordinality as a (key_digest, operation_ref, fingerprint, spec, parts, holder, route, lease_ms, retention_ms, take_ms, probe, outbox, n)
), claimed as (
  update {schema}.key_record k
     set key_digest = a.key_digest, operation_ref = a.operation_ref, fingerprint = a.fingerprint, spec = a.spec, parts = a.parts,
         holder = a.holder, route = a.route, created_at = a.now, retain_until = a.now + a.retention_ms, lease_until = a.now + a.lease_ms,
         fence = 1, attempts = 0, state = 'in_flight', waiters = false, probe = a.probe, outbox = a.outbox, probe_after = null, accepted_at = null, owner = null,
         completed_at = null, status = null, headers = null, trailers = null, body = null
    from asked a
   where k.id = any (array[a.id]) and k.state = 'completed' and a.now - k.retain_until >= 0
  returning a.n, k.id, k.retain_until
), noted as (
  insert into {schema}.unsettled (id, state) select id, 'in_flight' from claimed
  on conflict (id) do update set state = excluded.state
)
select n, 'new', retain_until, null, 1 from claimed
