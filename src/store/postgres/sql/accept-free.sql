-- Accepts anew what is past its retention, whether the sweep has come by or not.
-- Parameters as in accept.sql. Returns those that were free. Retention is compared as in claim-free.sql.
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
), accepted as (
  update {schema}.key_record k
     set key_digest = a.key_digest, operation_ref = a.operation_ref, fingerprint = a.fingerprint, spec = a.spec, parts = a.parts,
         holder = a.holder, route = a.route, created_at = a.now, retain_until = a.now + a.retention_ms,
         fence = 1, attempts = 0, state = 'accepted', waiters = false, probe = a.probe, outbox = a.outbox, probe_after = null, accepted_at = a.now, owner = a.owner,
         completed_at = null, status = null, headers = null, trailers = null, body = null
    from asked a
   where k.id = any (array[a.id]) and k.state = 'completed' and a.now - k.retain_until >= 0 and a.room
  returning a.n
), judged as (
  select asked.*, n in (select n from accepted) as fresh from asked
), committed as (
  insert into {schema}.outbox_event (id, sink, lane, type, payload, committed_at, dead_at, cause, unbuilt)
  select a.event, a.sink, a.lane, a.type, substring($15::bytea from a.place for a.length), a.now,
         case when a.flaw is not null then a.now end, a.flaw, a.flaw is not null
    from judged a where a.fresh order by a.n
  on conflict (id) do nothing
)
select n from accepted
