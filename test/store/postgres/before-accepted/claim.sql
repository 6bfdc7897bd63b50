-- Inserts the keys that are not there, and says what stands under the others: in one statement, which changes none of them.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted, in the order of all arrays
-- $3 key digests, $4 operation refs, $5 fingerprints, $6 specs, $7 parts, $8 holders, $9 routes
-- $10 leases in ms, $11 retentions in ms, $12 for how long after its claim an orphan is taken, in ms; null to leave it
-- $13 probes, $14 what the requests give to the events of their completions
-- The verdict is `new`, what is answered from the row as it is (mismatch, replay, busy, uncertain), what another statement
-- has to change first (free, own, take, expire), or `again`: inserted by somebody whom this statement's snapshot does not see.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[])
    with ordinality as a (key_digest, operation_ref, fingerprint, spec, parts, holder, route, lease_ms, retention_ms, take_ms, probe, outbox, n)
), inserted as (
  insert into {schema}.key_record (id, key_digest, operation_ref, fingerprint, spec, parts, holder, route, created_at, retain_until, lease_until, fence, attempts, state, probe, outbox)
  select id, key_digest, operation_ref, fingerprint, spec, parts, holder, route, now, now + retention_ms, now + lease_ms, 1, 0, 'in_flight', probe, outbox
    from asked
  on conflict (id) do nothing
  returning id, retain_until
), noted as (
  insert into {schema}.unsettled (id, state) select id, 'in_flight' from inserted
  on conflict (id) do nothing
)
select n, verdict, retain_until, operation_ref, fence,
       case when verdict = 'busy' then lease_until - now end,
       case when verdict = 'uncertain' then since end,
       case when verdict = 'uncertain' then cause end,
       case when verdict in ('mismatch', 'replay') then spec end,
       case when verdict in ('mismatch', 'replay') then parts end,
       case when verdict = 'replay' then fingerprint end,
       case when verdict = 'replay' then status end,
       case when verdict = 'replay' then headers end,
       case when verdict = 'replay' then trailers end,
       case when verdict = 'replay' then encode(body, 'base64') end,
       case when verdict = 'replay' then current_setting('synchronous_standby_names', true) end,
       case when verdict = 'uncertain' then now - since end,
       case when verdict = 'uncertain' then probe end,
       case when verdict = 'uncertain' then outbox end
  from (
    select a.n, a.now, case when a.fresh then a.now + a.retention_ms else k.retain_until end as retain_until, k.operation_ref, k.fence, k.lease_until, k.since, k.cause,
           k.spec, k.parts, k.fingerprint, k.status, k.headers, k.trailers, k.body, k.probe, k.outbox,
           case
             when a.fresh then 'new'
             when k.id is null then 'again'
             when k.state = 'completed' and k.retain_until <= a.now then 'free'
             when k.state = 'in_flight' and k.holder = a.holder then 'own'
             when k.spec <> a.spec or k.fingerprint <> a.fingerprint then 'mismatch'
             when k.state = 'completed' then 'replay'
             when k.state = 'in_flight' and k.lease_until > a.now then 'busy'
             when k.holder <> a.holder and a.now < k.created_at + a.take_ms
              and split_part(k.parts, '.~', 2) = split_part(a.parts, '.~', 2) then 'take'
             when k.state = 'in_flight' then 'expire'
             else 'uncertain'
           end as verdict
      from (select asked.*, id in (select id from inserted) as fresh from asked offset 0) a
      left join lateral (select * from {schema}.key_record r where r.id = a.id and not a.fresh limit 1) k on true
  ) judged
