-- Begins the execution of what was accepted and waits, and says what stands under the others.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted, in the order of all arrays
-- $3 operation refs, $4 holders, $5 leases in ms, $6 for how long after its first begin an orphan is taken, in ms; null to leave it
-- The verdict is `begun`, what is answered from the row as it is (gone, completed, busy, uncertain), what another statement has to do first
-- (own, take, expire), or `again`: changed since the snapshot. `is not distinct from` is in no index: with `=` the plan that is made for an
-- empty table looks through all operations instead of for the ids.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[]) with ordinality as a (operation_ref, holder, lease_ms, take_ms, n)
), begun as (
  update {schema}.key_record k
     set holder = a.holder, fence = k.fence + 1, state = 'in_flight', lease_until = a.now + a.lease_ms, created_at = a.now,
         retain_until = a.now + k.retain_until - k.created_at, probe_after = null
    from asked a
   where k.id = any (array[a.id]) and k.operation_ref is not distinct from a.operation_ref and k.state = 'accepted'
  returning a.n, k.id, k.fence, k.retain_until, k.outbox
), noted as (
  insert into {schema}.unsettled (id, state) select id, 'in_flight' from begun
  on conflict (id) do update set state = excluded.state
)
select n, verdict, retain_until, fence, outbox,
       case when verdict = 'busy' then lease_until - now end,
       case when verdict = 'uncertain' then since end,
       case when verdict = 'uncertain' then cause end,
       case when verdict = 'uncertain' then now - since end,
       case when verdict = 'uncertain' then probe end
  from (
    select a.n, a.now, coalesce(b.retain_until, k.retain_until) as retain_until, coalesce(b.fence, k.fence) as fence,
           case when b.n is null then k.outbox else b.outbox end as outbox, k.lease_until, k.since, k.cause, k.probe,
           case
             when b.n is not null then 'begun'
             when k.id is null or k.operation_ref <> a.operation_ref or k.accepted_at is null then 'gone'
             when k.state = 'completed' and k.retain_until <= a.now then 'gone'
             when k.state = 'completed' then 'completed'
             when k.state = 'in_flight' and k.holder = a.holder then 'own'
             when k.state = 'in_flight' and k.lease_until > a.now then 'busy'
             when k.state in ('in_flight', 'uncertain') and a.now < k.created_at + a.take_ms then 'take'
             when k.state = 'in_flight' then 'expire'
             when k.state = 'uncertain' then 'uncertain'
             else 'again'
           end as verdict
      from asked a
      left join begun b on b.n = a.n
      left join lateral (select * from {schema}.key_record r where r.id = a.id and b.n is null limit 1) k on true
  ) judged
