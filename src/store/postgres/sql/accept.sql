-- Stores requests that are executed later, each with its event: what claim.sql does for those that are executed now.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted, in the order of all arrays
-- $3 key digests, $4 operation refs, $5 fingerprints, $6 specs, $7 parts, $8 holders, $9 routes
-- $10 retentions in ms, $11 probes, $12 what the requests give to the events of their completions, $13 owners, $14 their quotas
-- $15 payloads of their events, one behind the other; $16 ids, $17 sinks, $18 lanes, $19 types of the events, $20 where in $15 a payload
-- begins (from 1), $21 how long it is, $22 its flaw
-- The verdict is `new`, `over-quota` (as much waits of this owner already, and nothing was stored), `repeated` (by this very request), what
-- is answered from the row as it is (mismatch, replay, accepted, busy, uncertain), what another statement has to change first (free,
-- expire), or `again`, as in claim.sql.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now,
         (select count(*) from (
            select from {schema}.outbox_event e
             where e.sink = a.sink and e.dead_at is null and e.lane >= a.owner || '.' and e.lane < a.owner || '/' limit a.quota
          ) few) < a.quota as room
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::int[],
                $16::text[], $17::text[], $18::text[], $19::text[], $20::int[], $21::int[], $22::text[])
    with ordinality as a (key_digest, operation_ref, fingerprint, spec, parts, holder, route, retention_ms, probe, outbox, owner, quota,
                          event, sink, lane, type, place, length, flaw, n)
), inserted as (
  insert into {schema}.key_record (id, key_digest, operation_ref, fingerprint, spec, parts, holder, route, created_at, retain_until, fence, attempts, state, probe, outbox, accepted_at, owner)
  select id, key_digest, operation_ref, fingerprint, spec, parts, holder, route, now, now + retention_ms, 1, 0, 'accepted', probe, outbox, now, owner
    from asked where room
  on conflict (id) do nothing
  returning id
), judged as (
  select asked.*, id in (select id from inserted) as fresh from asked
), committed as (
  insert into {schema}.outbox_event (id, sink, lane, type, payload, committed_at, dead_at, cause, unbuilt)
  select a.event, a.sink, a.lane, a.type, substring($15::bytea from a.place for a.length), a.now,
         case when a.flaw is not null then a.now end, a.flaw, a.flaw is not null
    from judged a where a.fresh order by a.n
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
       case when verdict in ('replay', 'accepted', 'repeated') then current_setting('synchronous_standby_names', true) end,
       case when verdict = 'uncertain' then now - since end,
       case when verdict = 'uncertain' then probe end,
       case when verdict = 'uncertain' then outbox end
  from (
    select a.n, a.now, k.retain_until, k.operation_ref, k.fence, k.lease_until, k.since, k.cause,
           k.spec, k.parts, k.fingerprint, k.status, k.headers, k.trailers, k.body, k.probe, k.outbox,
           case
             when a.fresh then 'new'
             when k.id is null and a.room then 'again'
             when k.id is null then 'over-quota'
             when k.state = 'completed' and k.retain_until <= a.now and a.room then 'free'
             when k.state = 'completed' and k.retain_until <= a.now then 'over-quota'
             when k.accepted_at is not null and k.operation_ref = a.operation_ref then 'repeated'
             when k.spec <> a.spec or k.fingerprint <> a.fingerprint then 'mismatch'
             when k.state = 'completed' then 'replay'
             when k.accepted_at is not null then 'accepted'
             when k.state = 'in_flight' and k.lease_until > a.now then 'busy'
             when k.state = 'in_flight' then 'expire'
             else 'uncertain'
           end as verdict
      from judged a
      left join lateral (select * from {schema}.key_record r where r.id = a.id and not a.fresh limit 1) k on true
  ) told
