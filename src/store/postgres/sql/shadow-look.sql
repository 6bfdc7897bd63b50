-- Notes what is new to a shadowed route, and says of each request what it is. A row is replaced where its retention is over or its specification is another.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted; then one element for each: $3 fingerprints, $4 specs, $5 parts, $6 holders
-- $7 leases in ms, $8 retentions in ms
-- The verdict is `new`, `mismatch` (with the parts of the first one), `replay`, `in_flight`, `uncertain`, or `again`: changed since this statement's snapshot.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[]) with ordinality as a (fingerprint, spec, parts, holder, lease_ms, retention_ms, n)
), noted as (
  insert into {schema}.shadow_key as k (id, fingerprint, spec, parts, holder, state, lease_until, retain_until)
  select id, fingerprint, spec, parts, holder, 'in_flight', now + lease_ms, now + retention_ms from asked order by n
  on conflict (id) do update
     set fingerprint = excluded.fingerprint, spec = excluded.spec, parts = excluded.parts, holder = excluded.holder, state = excluded.state,
         lease_until = excluded.lease_until, retain_until = excluded.retain_until
   where k.retain_until <= coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) or k.spec <> excluded.spec
  returning k.id
)
select n, verdict, case when verdict = 'mismatch' then parts end
  from (
    select a.n, k.parts,
           case
             when a.fresh then 'new'
             when k.id is null or k.retain_until <= a.now or k.spec <> a.spec then 'again'
             when k.fingerprint <> a.fingerprint then 'mismatch'
             when k.state = 'completed' then 'replay'
             when k.state = 'in_flight' and k.lease_until > a.now then 'in_flight'
             else 'uncertain'
           end as verdict
      from (select asked.*, id in (select id from noted) as fresh from asked offset 0) a
      left join lateral (select * from {schema}.shadow_key r where r.id = a.id and not a.fresh limit 1) k on true
  ) judged
